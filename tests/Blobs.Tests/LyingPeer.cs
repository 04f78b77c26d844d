using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>How a peer deceives.</summary>
public enum Lie
{
    WrongBytes,
    WrongBytesLate,
    WrongOutboard,
    WrongSize,
    WrongSizeInLastGroup,
    WrongRange,
    NoEnd,
    NoEndOfOutboard,
    Cut,
    Stall,
    StallInTheMiddle,
    Trickle,
    Broken,
    NoBlobs,
}

/// <summary>A server that speaks HTTP, byte by byte by its own will, and serves one blob falsely.</summary>
internal sealed partial class LyingPeer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lie _lie;
    private readonly byte[] _content;
    private readonly byte[] _outboard;
    private readonly BlobHash _hash;
    private readonly Task _accepting;
    private int _requests;

    public LyingPeer(Lie lie, byte[] content)
    {
        _lie = lie;
        var outboard = new MemoryStream();
        var writer = new BaoOutboardWriter(outboard);
        writer.Update(content);
        (_hash, _) = writer.Finish();
        _outboard = outboard.ToArray();
        _content = content;
        if (lie == Lie.WrongSizeInLastGroup)
        {
            _content = [.. content, 0];
            _outboard[0]++;
        }

        _listener.Start();
        Url = $"http://{_listener.LocalEndpoint}";
        _accepting = AcceptAsync();
    }

    public string Url { get; }

    public int Requests => Volatile.Read(ref _requests);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                serving.Add(ServeAsync(client));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var owned = client;
        try
        {
            var stream = client.GetStream();
            var received = new List<byte>();
            var one = new byte[1];
            while (!(received.Count > 3 && received[^4] == '\r' && received[^3] == '\n' && received[^2] == '\r' && received[^1] == '\n'))
            {
                if (await stream.ReadAsync(one, _stopping.Token) == 0)
                {
                    return;
                }

                received.Add(one[0]);
            }

            Interlocked.Increment(ref _requests);
            await AnswerAsync(stream, Encoding.ASCII.GetString([.. received]));
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or SocketException)
        {
            // The client has had enough, or the test has.
        }
    }

    private async Task AnswerAsync(NetworkStream stream, string request)
    {
        if (request.StartsWith("POST", StringComparison.Ordinal))
        {
            var size = _lie is Lie.WrongSize ? _content.Length + 100_000 : _content.Length;
            await SendAsync(stream, "200 OK", "", _lie == Lie.NoBlobs
                ? "this is not json"u8.ToArray()
                : Encoding.ASCII.GetBytes($"{{\"have\":[{{\"hash\":\"{_hash}\",\"size\":{size}}}]}}"));
            return;
        }

        if (request.Contains("/outboard ", StringComparison.Ordinal))
        {
            var outboard = _outboard.ToArray();
            if (_lie == Lie.WrongOutboard)
            {
                outboard[100] ^= 1;
            }

            if (_lie == Lie.NoEndOfOutboard)
            {
                await EndlessAsync(stream, "200 OK", "", outboard);
                return;
            }

            await SendAsync(stream, "200 OK", "", outboard);
            return;
        }

        var range = RangeFormat().Match(request);
        var (from, to) = range.Success
            ? (int.Parse(range.Groups[1].Value, CultureInfo.InvariantCulture), int.Parse(range.Groups[2].Value, CultureInfo.InvariantCulture))
            : (0, _content.Length - 1);
        var isLast = to == _content.Length - 1 && from > 0;
        var bytes = Enumerable.Range(from, Math.Max(0, to - from + 1)).Select(i => i < _content.Length ? _content[i] : (byte)0).ToArray();
        var status = range.Success ? "206 Partial Content" : "200 OK";
        var headers = range.Success ? $"Content-Range: bytes {from}-{to}/{_content.Length}\r\n" : "";
        switch (_lie)
        {
            case Lie.WrongBytes:
                bytes[0] ^= 1;
                break;
            case Lie.WrongBytesLate when !isLast:
                bytes[^1] ^= 1;
                break;
            case Lie.WrongRange when !isLast:
                headers = $"Content-Range: bytes {from + 1}-{to + 1}/{_content.Length}\r\n";
                break;
            case Lie.NoEnd when !isLast:
                await EndlessAsync(stream, status, headers, bytes);
                return;
            case Lie.Broken when !isLast:
                return;
            case Lie.Cut when !isLast:
                await SendAsync(stream, status, headers, bytes, bytes.Length / 2);
                return;
            case Lie.Stall when !isLast:
                await Task.Delay(Timeout.Infinite, _stopping.Token);
                return;
            case Lie.StallInTheMiddle when !isLast:
                await SendAsync(stream, status, headers, bytes, bytes.Length / 2);
                await Task.Delay(Timeout.Infinite, _stopping.Token);
                return;
            case Lie.Trickle when !isLast:
                await SendAsync(stream, status, headers, bytes, 0);
                foreach (var one in bytes)
                {
                    await stream.WriteAsync(new[] { one }, _stopping.Token);
                    await Task.Delay(50, _stopping.Token);
                }

                return;
        }

        await SendAsync(stream, status, headers, bytes);
    }

    private async Task SendAsync(NetworkStream stream, string status, string headers, byte[] bytes, int? count = null)
    {
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\n{headers}Content-Length: {bytes.Length}\r\nConnection: close\r\n\r\n"),
            _stopping.Token);
        await stream.WriteAsync(bytes.AsMemory(0, count ?? bytes.Length), _stopping.Token);
    }

    private async Task EndlessAsync(NetworkStream stream, string status, string headers, byte[] bytes)
    {
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\n{headers}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"),
            _stopping.Token);
        while (true)
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{bytes.Length:x}\r\n"), _stopping.Token);
            await stream.WriteAsync(bytes, _stopping.Token);
            await stream.WriteAsync("\r\n"u8.ToArray(), _stopping.Token);
        }
    }

    [GeneratedRegex("Range: bytes=([0-9]+)-([0-9]+)")]
    private static partial Regex RangeFormat();
}
