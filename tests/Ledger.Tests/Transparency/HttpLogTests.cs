using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Tests.Transparency;

/// <summary>Whoever checks a log over HTTP is not held for ever by who serves it.</summary>
public sealed class HttpLogTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private LogFixture _log = null!;

    public async Task InitializeAsync() => _log = await LogFixture.CreateAsync();

    public async Task DisposeAsync() => await _log.DisposeAsync();

    [Theory]
    [InlineData("checkpoint")]
    [InlineData("heads")]
    public async Task A_server_that_sends_a_byte_now_and_then_is_given_up(string slow)
    {
        await using var server = await ServeAsync(slow, async (stream, bytes, stop) =>
        {
            // As long as there is a reader.
            for (var i = 0; ; i++)
            {
                await stream.WriteAsync(bytes.AsMemory(i % bytes.Length, 1), stop);
                await Task.Delay(20, stop);
            }
        });
        var late = await Assert.ThrowsAsync<IOException>(() => CheckAsync(server));
        Assert.Contains($"/{slow} came too slowly", late.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_lines_without_an_end_that_are_no_heads_only_so_many_are_read(bool areEmpty)
    {
        await using var server = await ServeAsync("heads", async (stream, bytes, stop) =>
        {
            // Lines that the log did sign, again and again, are no better.
            var lines = areEmpty ? Enumerable.Repeat((byte)'\n', 4096).ToArray() : bytes;
            while (true)
            {
                await stream.WriteAsync(lines, stop);
            }
        });
        var report = await CheckAsync(server);
        Assert.InRange(report.Heads, 1000, 1100);
        Assert.Contains(report.Faults, fault => fault is { Kind: "wrong_head", File: "heads" });
    }

    [Fact]
    public async Task A_server_that_sends_what_there_is_is_read()
    {
        await using var server = await ServeAsync("none", (_, _, _) => Task.CompletedTask);
        Assert.Empty((await CheckAsync(server)).Faults);
    }

    private async Task<LogCheckReport> CheckAsync(Server server)
    {
        using var client = new HttpClient();
        return await LogCheck.RunAsync(new HttpLogSource(client, server.Url, Patience), _log.NoteKey, null, CancellationToken.None);
    }

    private async Task<Server> ServeAsync(string odd, Func<NetworkStream, byte[], CancellationToken, Task> write)
    {
        await _log.AppendAsync(20);
        await _log.PublishAsync();
        return new Server(_log.Files(), odd, write);
    }

    /// <summary>Serves a log's files, but for one that it sends in a way of its own, without saying how long it is.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _stop = new();
        private readonly SortedDictionary<string, byte[]> _files;
        private readonly string _odd;
        private readonly Func<NetworkStream, byte[], CancellationToken, Task> _write;
        private readonly Task _serving;

        public Server(SortedDictionary<string, byte[]> files, string odd, Func<NetworkStream, byte[], CancellationToken, Task> write)
        {
            (_files, _odd, _write) = (files, odd, write);
            _listener.Start();
            _serving = AcceptAsync();
        }

        public Uri Url => new($"http://{_listener.LocalEndpoint}/");

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _serving;
            _listener.Dispose();
            _stop.Dispose();
        }

        private async Task AcceptAsync()
        {
            var answers = new List<Task>();
            try
            {
                while (true)
                {
                    answers.Add(AnswerAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
                }
            }
            catch (OperationCanceledException)
            {
                await Task.WhenAll(answers);
            }
        }

        private async Task AnswerAsync(TcpClient client)
        {
            try
            {
                await using var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
                var path = (await reader.ReadLineAsync(_stop.Token))!.Split(' ')[1][1..];
                while (await reader.ReadLineAsync(_stop.Token) is { Length: > 0 })
                {
                }

                var found = _files.TryGetValue(path, out var bytes);
                await stream.WriteAsync(
                    Encoding.ASCII.GetBytes($"HTTP/1.1 {(found ? "200 OK" : "404 Not Found")}\r\nConnection: close\r\n\r\n"), _stop.Token);
                await (path == _odd ? _write(stream, bytes!, _stop.Token) : stream.WriteAsync(bytes ?? [], _stop.Token).AsTask());
            }
            catch (Exception gone) when (gone is IOException or OperationCanceledException)
            {
                // The reader has gone, or the test has ended.
            }
            finally
            {
                client.Dispose();
            }
        }
    }
}
