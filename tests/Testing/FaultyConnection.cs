using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace MeshLedger.Testing;

/// <summary>What happens to a request on its way.</summary>
public enum ConnectionFault
{
    /// <summary>The connection is lost in the middle of the request: the server does nothing.</summary>
    RequestLost,

    /// <summary>The server does what it is asked to and answers; the connection is lost before the answer arrives.</summary>
    AnswerLost,

    /// <summary>As before, but nobody tells: the connection stays, and is silent.</summary>
    AnswerWithheld,
}

/// <summary>
/// A way to a real PostgreSQL that fails where it is told to. It forwards message by message (PostgreSQL's protocol: a
/// type byte, then a length), so a fault strikes at a known place: the request is the one whose parameters hold a given
/// text, its answer ends with ReadyForQuery, which the server sends after the commit.
/// </summary>
public sealed class FaultyConnection : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly string _socket;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Queue<(byte[] Text, ConnectionFault? Fault)> _faults = [];
    private readonly List<Task> _connections = [];
    private readonly Task _accepting;
    private int _refused;

    /// <param name="connectionString">Of a server that listens on a Unix socket.</param>
    public FaultyConnection(string connectionString)
    {
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        _socket = Path.Combine(server.Host!, $".s.PGSQL.{server.Port}");
        _listener.Start();
        server.Host = "127.0.0.1";
        server.Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        server.SslMode = SslMode.Disable;
        server.GssEncryptionMode = GssEncryptionMode.Disable;
        server.CommandTimeout = 1;
        server.CancellationTimeout = 200;
        ConnectionString = server.ConnectionString;
        _accepting = AcceptAsync();
    }

    /// <summary>Through here, with a command timeout of 1 s.</summary>
    public string ConnectionString { get; }

    /// <summary>How many connections were refused.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>No connection gets through, and those that stand are lost at their next request.</summary>
    public bool Down { get; set; }

    /// <summary>Faults that have not struck yet.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _faults.Count;
            }
        }
    }

    /// <summary>Strikes once, at the next request that has <paramref name="text"/> in it and comes after one that has
    /// <paramref name="after"/> in it.</summary>
    public void Strike(string text, ConnectionFault fault, string? after = null)
    {
        lock (_lock)
        {
            if (after is not null)
            {
                _faults.Enqueue((System.Text.Encoding.UTF8.GetBytes(after), null));
            }

            _faults.Enqueue((System.Text.Encoding.UTF8.GetBytes(text), fault));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_stopping.Token);
                if (Down)
                {
                    Interlocked.Increment(ref _refused);
                    client.Dispose();
                    continue;
                }

                _connections.Add(ServeAsync(client));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
            // The end.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using var fromClient = new NetworkStream(client, ownsSocket: true);
            await server.ConnectAsync(new UnixDomainSocketEndPoint(_socket), lost.Token);
            using var fromServer = new NetworkStream(server, ownsSocket: false);
            var state = new Answer();
            var first = await Task.WhenAny(
                RequestsAsync(fromClient, fromServer, state, lost.Token),
                AnswersAsync(fromServer, fromClient, state, lost.Token));
            await lost.CancelAsync();
            await first;
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException)
        {
            // A connection's end, of either side's making.
        }
    }

    private async Task RequestsAsync(NetworkStream client, NetworkStream server, Answer answer, CancellationToken lost)
    {
        // The start of a session, a query and a Sync are each answered by one ReadyForQuery.
        var asked = 0;
        for (var started = false; await ReadAsync(client, typed: started, lost) is { } message; started = true)
        {
            if (Down)
            {
                return;
            }

            switch (started ? Struck(message) : null)
            {
                case ConnectionFault.RequestLost:
                    await server.WriteAsync(message.AsMemory(0, message.Length / 2), lost);
                    return;
                case { } fault:
                    answer.Strike(fault, asked);
                    break;
            }

            asked += !started || message[0] is (byte)'Q' or (byte)'S' ? 1 : 0;
            await server.WriteAsync(message, lost);
        }
    }

    private static async Task AnswersAsync(
        NetworkStream server, NetworkStream client, Answer answer, CancellationToken lost)
    {
        var answered = 0;
        while (await ReadAsync(server, typed: true, lost) is { } message)
        {
            var fault = answer.FaultAfter(answered);
            answered += message[0] == 'Z' ? 1 : 0;
            if (fault is null)
            {
                await client.WriteAsync(message, lost);
            }
            else if (message[0] == 'Z' && fault == ConnectionFault.AnswerLost)
            {
                return;
            }
        }
    }

    private ConnectionFault? Struck(byte[] message)
    {
        lock (_lock)
        {
            return _faults.TryPeek(out var next) && message.AsSpan().IndexOf(next.Text) >= 0
                ? _faults.Dequeue().Fault
                : null;
        }
    }

    /// <summary>One message as it is; null at the end.</summary>
    private static async Task<byte[]?> ReadAsync(NetworkStream stream, bool typed, CancellationToken lost)
    {
        var start = typed ? 1 : 0;
        var head = new byte[start + 4];
        if (await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, lost) < head.Length)
        {
            return null;
        }

        var message = new byte[start + BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(start))];
        head.CopyTo(message, 0);
        await stream.ReadExactlyAsync(message.AsMemory(head.Length), lost);
        return message;
    }

    /// <summary>What is to happen to the answer of the request that was struck, but not to those of the requests before
    /// it, which may still be on their way.</summary>
    private sealed class Answer
    {
        private volatile Tuple<ConnectionFault, int>? _fault;

        public void Strike(ConnectionFault fault, int answersBefore) => _fault = Tuple.Create(fault, answersBefore);

        public ConnectionFault? FaultAfter(int answers) =>
            _fault is { } fault && answers >= fault.Item2 ? fault.Item1 : null;
    }
}
