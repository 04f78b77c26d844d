using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace MeshLedger.Blobs.Tests;

/// <summary>Requests written byte by byte, for what no client would send.</summary>
internal static class RawHttp
{
    /// <summary>The answer to a request without a body, on a connection of its own.</summary>
    public static Task<RawAnswer> AskAsync(
        Served served, string methodAndPath, CancellationToken stop, params string[] headers) =>
        SendAsync(
            served, $"{methodAndPath} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                + string.Concat(headers.Select(header => header + "\r\n")) + "\r\n",
            stop);

    public static async Task<RawAnswer> SendAsync(Served served, string request, CancellationToken stop)
    {
        using var client = await ConnectAsync(served, stop);
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(request), stop);
        return await ReadAsync(client, stop);
    }

    public static async Task<TcpClient> ConnectAsync(Served served, CancellationToken stop)
    {
        var client = new TcpClient();
        var url = new Uri(served.Url);
        await client.ConnectAsync(url.Host, url.Port, stop);
        return client;
    }

    /// <summary>Reads until the server closes or breaks the connection.</summary>
    public static async Task<RawAnswer> ReadAsync(TcpClient client, CancellationToken stop)
    {
        var received = new MemoryStream();
        var buffer = new byte[64 * 1024];
        try
        {
            int count;
            while ((count = await client.Client.ReceiveAsync(buffer, stop)) > 0)
            {
                received.Write(buffer, 0, count);
            }
        }
        catch (SocketException)
        {
            // Broken: what came is what came.
        }

        return RawAnswer.Parse(received.ToArray());
    }
}

/// <param name="Headers">Names in lower case.</param>
/// <param name="Body">What came of it.</param>
internal sealed record RawAnswer(int Status, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public bool IsWhole => Headers.TryGetValue("content-length", out var length)
        && long.Parse(length, CultureInfo.InvariantCulture) == Body.Length;

    /// <summary>The code of a problem; null if the answer is none.</summary>
    public string? Code => Headers.GetValueOrDefault("content-type") == "application/problem+json"
        ? JsonDocument.Parse(Body).RootElement.GetProperty("code").GetString()
        : null;

    public static RawAnswer Parse(byte[] bytes)
    {
        var end = bytes.AsSpan().IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return new RawAnswer(0, new Dictionary<string, string>(), []);
        }

        var lines = Encoding.Latin1.GetString(bytes, 0, end).Split("\r\n");

        // A header that came twice fails here.
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2))
            .ToDictionary(pair => pair[0].ToLowerInvariant(), pair => pair[1]);
        return new RawAnswer(int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture), headers, bytes[(end + 4)..]);
    }
}
