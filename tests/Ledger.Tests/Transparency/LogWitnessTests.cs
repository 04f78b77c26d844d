using System.Net;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Tests.Transparency;

public sealed class LogWitnessTests : IAsyncLifetime
{
    private static readonly SigningKey LogKey = SigningKey.FromSeed([.. Enumerable.Repeat((byte)3, 32)]);
    private static readonly NoteKey Origin = new("log.example/one", NoteKeyType.Signature, LogKey.Did);
    private static readonly Digest[] Leaves =
        [.. Enumerable.Range(0, 40).Select(i => MerkleTree.LeafHash(BitConverter.GetBytes(i)))];

    private readonly SigningKey _key = SigningKey.Generate();
    private LogFixture _log = null!;

    private NoteKey Name => new("witness.example/w1", NoteKeyType.Cosignature, _key.Did);

    public async Task InitializeAsync() => _log = await LogFixture.CreateAsync();

    public async Task DisposeAsync() => await _log.DisposeAsync();

    [Fact]
    public async Task A_witness_cosigns_what_is_consistent_and_remembers_it_after_a_restart()
    {
        var first = await AskAsync(Open(), 0, 10, Leaves);
        Assert.Equal(200, first.Status);
        Assert.True(SignedNote.TryParseLines(first.Body, out var lines));
        Assert.True(Head(10, Leaves).With(lines).TryVerify([Name], out var verified));
        Assert.InRange(Assert.Single(verified).Time, 1_600_000_000, long.MaxValue);

        Assert.Equal(new WitnessAnswer(409, "10\n", "text/x.tlog.size"), await AskAsync(Open(), 0, 20, Leaves));
        Assert.Equal(200, (await AskAsync(Open(), 10, 20, Leaves)).Status);
        Assert.Equal(200, (await AskAsync(Open(), 20, 20, Leaves)).Status);
        Assert.Equal(409, (await AskAsync(Open(), 10, 20, Leaves)).Status);
    }

    [Fact]
    public async Task A_rewritten_history_is_not_cosigned()
    {
        Digest[] other = [Leaves[1], .. Leaves[1..]];
        Assert.Equal(200, (await AskAsync(Open(), 0, 10, Leaves)).Status);
        Assert.Equal(422, (await AskAsync(Open(), 10, 20, other)).Status);
        Assert.Equal(409, (await AskAsync(Open(), 10, 10, other)).Status);
        Assert.Equal(200, (await AskAsync(Open(), 10, 20, Leaves)).Status);
    }

    [Fact]
    public async Task Strange_requests_get_the_answers_of_the_specification()
    {
        Assert.Equal(400, (await Open().AddAsync("nonsense"u8.ToArray(), CancellationToken.None)).Status);
        Assert.Equal(400, (await Open().AddAsync(new byte[LogWitness.MaxBytes + 1], CancellationToken.None)).Status);
        Assert.Equal(400, (await AskAsync(Open(), 11, 10, Leaves)).Status);
        var foreign = new NoteKey("log.example/two", NoteKeyType.Signature, LogKey.Did);
        var unknown = SignedNote.Sign(new TreeHead(foreign.Name, 1, Leaves[0]).Text, foreign, LogKey);
        Assert.Equal(404, (await Open().AddAsync(Encoding.UTF8.GetBytes($"old 0\n\n{unknown}"), CancellationToken.None)).Status);
        var thief = SigningKey.Generate();
        var forged = SignedNote.Sign(
            new TreeHead(Origin.Name, 1, Leaves[0]).Text, new NoteKey(Origin.Name, NoteKeyType.Signature, thief.Did), thief);
        Assert.Equal(403, (await Open().AddAsync(Encoding.UTF8.GetBytes($"old 0\n\n{forged}"), CancellationToken.None)).Status);
    }

    [Fact]
    public async Task A_key_that_the_witness_was_not_told_is_named_and_once_it_was_the_log_goes_on_from_where_it_stood()
    {
        Assert.Equal(200, (await AskAsync(Open(), 0, 10, Leaves)).Status);
        var next = SigningKey.Generate();
        var named = new NoteKey(Origin.Name, NoteKeyType.Signature, next.Did);
        var note = SignedNote.Sign(Head(20, Leaves).Text, named, next);

        var refused = await AskAsync(Open(), 10, 20, Leaves, note);
        Assert.Equal(403, refused.Status);
        Assert.Contains("signed by a key of this log that this witness was not told", refused.Body, StringComparison.Ordinal);
        Assert.Contains($"({named.Id:x8})", refused.Body, StringComparison.Ordinal);
        Assert.Contains($"{Origin.Id:x8}", refused.Body, StringComparison.Ordinal);

        // Its own key with a signature that does not hold is another matter.
        var forged = SignedNote.Sign(Head(20, Leaves).Text, Origin, LogKey).ToString();
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(forged.Replace("\n20\n", "\n21\n", StringComparison.Ordinal)), out var other));
        Assert.Equal(
            new WitnessAnswer(403, "the log did not sign this\n"), await AskAsync(Open(), 10, 20, Leaves, other));

        var told = new LogWitness(Name, _key, Path.Combine(_log.Home, "state"), [Origin, named], TimeProvider.System);
        Assert.Equal(new WitnessAnswer(409, "10\n", "text/x.tlog.size"), await AskAsync(told, 0, 20, Leaves, note));
        Assert.Equal(200, (await AskAsync(told, 10, 20, Leaves, note)).Status);
    }

    [Fact]
    public async Task What_holds_a_log_back_is_said_once_and_so_is_that_it_goes_on()
    {
        await using var served = new Served();
        var witness = new LogWitness(Name, _key, Path.Combine(_log.Home, "witness"), [_log.NoteKey], TimeProvider.System);
        var options = _log.Options with { Witnesses = [new WitnessAddress(served.Url, Name)], Quorum = 1 };
        await using (LogFixture.Run(_log.Publisher(options)))
        {
            for (var size = 1; size <= 5; size++)
            {
                await _log.AppendAsync(1);
                await UntilSignedAsync(size);
            }

            await _log.Lines.UntilAsync(1023);
            Assert.Single(_log.Lines.Of(1022));
            Assert.Single(_log.Lines.Of(1023));
            served.Answer = witness;
            await UntilPublishedAsync(5);
            Assert.StartsWith(
                "The log is published again, up to 5, after ", await _log.Lines.UntilAsync(1025), StringComparison.Ordinal);
            Assert.Empty(_log.Lines.Of(1026));
            served.Answer = null;
            await _log.AppendAsync(1);
            await _log.Lines.UntilAsync(1023, times: 2);
        }

        Assert.StartsWith(
            "The node stops, and the log is published up to 5 of 6 ", Assert.Single(_log.Lines.Of(1026)), StringComparison.Ordinal);
        Assert.Equal(2, _log.Lines.Of(1023).Count);
    }

    [Fact]
    public void What_happens_again_is_said_again_for_another_reason_after_a_minute_and_once_it_was_over()
    {
        var clock = new Clock();
        var told = new Repeats<string>(clock);
        Assert.True(told.IsNew("w1", "away"));
        Assert.False(told.IsNew("w1", "away"));
        Assert.True(told.IsNew("w2", "away"));
        Assert.True(told.IsNew("w1", "says no"));
        clock.Now += TimeSpan.FromSeconds(59);
        Assert.False(told.IsNew("w1", "says no"));
        clock.Now += TimeSpan.FromSeconds(1);
        Assert.True(told.IsNew("w1", "says no"));
        told.Forget("w1");
        Assert.True(told.IsNew("w1", "says no"));
    }

    [Fact]
    public async Task A_head_is_published_with_cosignatures_once_the_quorum_is_there()
    {
        await using var served = new Served();
        var witness = new LogWitness(Name, _key, Path.Combine(_log.Home, "witness"), [_log.NoteKey], TimeProvider.System);
        var options = _log.Options with { Witnesses = [new WitnessAddress(served.Url, Name)], Quorum = 1 };
        await _log.AppendAsync(300);

        // The witness is down: the head is signed and kept, and not published.
        await using var running = LogFixture.Run(_log.Publisher(options));
        await _log.Lines.UntilAsync(1023);
        Assert.False(File.Exists(Path.Combine(_log.Directory, "checkpoint")));
        served.Answer = witness;
        await UntilPublishedAsync(300);
        await _log.AppendAsync(50);
        await UntilPublishedAsync(350);
        Assert.True(SignedNote.TryParse(await File.ReadAllBytesAsync(Path.Combine(_log.Directory, "checkpoint")), out var note));
        Assert.True(note!.TryVerify([Name, _log.NoteKey], out var verified));
        Assert.Equal(2, verified.Count);
        Assert.Empty((await _log.CheckAsync()).Faults);
    }

    /// <summary>Whatever a witness answers, the log is published without it, and says why in a line.</summary>
    [Theory]
    [InlineData("bogus charset")]
    [InlineData("endless")]
    [InlineData("long refusal")]
    [InlineData("elsewhere")]
    public async Task A_witness_that_answers_nonsense_holds_up_nothing(string answer)
    {
        var asked = 0;
        await using var served = new Served { Raw = response =>
        {
            Interlocked.Increment(ref asked);
            response.StatusCode = answer switch { "bogus charset" => 200, "elsewhere" => 307, _ => 400 };
            response.ContentType = answer == "bogus charset" ? "text/plain; charset=bogus" : "text/plain";
            response.RedirectLocation = answer == "elsewhere" ? "http://127.0.0.1:1/other" : null;
            response.SendChunked = true;
            var line = Encoding.ASCII.GetBytes(new string('x', 1 << 16));
            for (var i = 0; i < (answer == "endless" ? 5000 : answer == "long refusal" ? 1 : 0); i++)
            {
                response.OutputStream.Write(line);
            }
        } };
        await _log.AppendAsync(10);
        await using var running = LogFixture.Run(
            _log.Publisher(_log.Options with { Witnesses = [new WitnessAddress(served.Url, Name)] }));
        await running.UntilAsync(10);
        await _log.Lines.UntilAsync(1022);
        Assert.All(_log.Lines.ToString().Split('\n'), line => Assert.InRange(line.Length, 0, 1000));
        Assert.True(asked > 0);
    }

    private async Task UntilSignedAsync(long size)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (await _log.Database.ScalarAsync<long>("SELECT coalesce(max(size), 0) FROM ml_log_heads") < size)
        {
            await pace.WaitForNextTickAsync(limit.Token);
        }
    }

    private async Task UntilPublishedAsync(long size)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while ((await LogHeads.LatestAsync(_log.Source, _log.NoteKey, limit.Token))?.Head.Size != size)
        {
            await pace.WaitForNextTickAsync(limit.Token);
        }
    }

    private LogWitness Open() => new(Name, _key, Path.Combine(_log.Home, "state"), [Origin], TimeProvider.System);

    private static SignedNote Head(int size, Digest[] leaves) =>
        SignedNote.Sign(new TreeHead(Origin.Name, size, MerkleTree.Root(leaves.AsSpan(0, size))).Text, Origin, LogKey);

    private static Task<WitnessAnswer> AskAsync(
        LogWitness witness, int old, int size, Digest[] leaves, SignedNote? note = null)
    {
        var proof = old > size
            ? []
            : MerkleProof.Consistency(old, size)
                .Make(node => MerkleTree.Root(leaves.AsSpan((int)(node.Index << node.Level), 1 << node.Level)));
        var lines = string.Concat(proof.Select(hash => Convert.ToBase64String(hash.ToArray()) + "\n"));
        return witness.AddAsync(Encoding.UTF8.GetBytes($"old {old}\n{lines}\n{note ?? Head(size, leaves)}"), CancellationToken.None);
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    /// <summary>A witness over HTTP, which is down until it is given an answer.</summary>
    private sealed class Served : IAsyncDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly Task _serving;

        public Served()
        {
            using (var probe = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0))
            {
                probe.Start();
                Url = new Uri($"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/");
            }

            _listener.Prefixes.Add(Url.ToString());
            _listener.Start();
            _serving = ServeAsync();
        }

        public Uri Url { get; }

        public LogWitness? Answer { get; set; }

        /// <summary>Writes an answer of its own; what the asker does not take of it is not written.</summary>
        public Action<HttpListenerResponse>? Raw { get; init; }

        public async ValueTask DisposeAsync()
        {
            _listener.Close();
            await _serving;
        }

        private async Task ServeAsync()
        {
            while (true)
            {
                HttpListenerContext context;
                try
                {
                    context = await _listener.GetContextAsync();
                }
                catch (Exception end) when (end is HttpListenerException or ObjectDisposedException)
                {
                    return;
                }

                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                if (Raw is { } write)
                {
                    try
                    {
                        write(context.Response);
                        context.Response.Close();
                    }
                    catch (Exception gone) when (gone is HttpListenerException or IOException or ObjectDisposedException)
                    {
                        context.Response.Abort();
                    }

                    continue;
                }

                var answer = Answer is { } witness
                    ? await witness.AddAsync(body.ToArray(), CancellationToken.None)
                    : new WitnessAnswer(503, "away\n");
                context.Response.StatusCode = answer.Status;
                await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(answer.Body));
                context.Response.Close();
            }
        }
    }
}
