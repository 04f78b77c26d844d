using System.Globalization;
using System.Text;
using MeshLedger.Crypto;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Ledger.Transparency;

/// <summary>A witness that a log asks.</summary>
/// <param name="Url">Below which <c>add-checkpoint</c> is, with a slash at its end.</param>
public sealed record WitnessAddress(Uri Url, NoteKey Key);

/// <summary>Asks witnesses for their cosignatures of a log's heads, all at once. One that fails is left alone for a while, so
/// that it does not hold up the log. Not for concurrent use.</summary>
internal sealed class LogCosigners(
    HttpClient client, IReadOnlyList<WitnessAddress> witnesses, ILogSource source, TimeProvider clock, ILogger log)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LeftAlone = TimeSpan.FromSeconds(5);

    /// <summary>The most bytes of an answer: a witness says a line or two.</summary>
    private const int MaxAnswer = 16 << 10;
    private const int MaxShown = 200;

    private readonly Dictionary<WitnessAddress, long> _sizes = [];
    private readonly Dictionary<WitnessAddress, long> _failed = [];
    private readonly Repeats<WitnessAddress> _told = new(clock);
    private readonly Lock _lock = new();

    /// <summary>What witnesses are asked by: it goes nowhere else than where it was told to, and takes no more than an answer
    /// may be.</summary>
    public static HttpClient NewClient() =>
        new(new SocketsHttpHandler { AllowAutoRedirect = false }) { MaxResponseContentBufferSize = MaxAnswer };

    /// <summary>The cosignatures that came and hold.</summary>
    public async Task<IReadOnlyList<NoteSignature>> AskAsync(SignedHead head, CancellationToken cancellationToken)
    {
        var asked = witnesses
            .Where(witness => !_failed.TryGetValue(witness, out var at) || clock.GetElapsedTime(at) > LeftAlone).ToList();
        var answers = await Task.WhenAll(asked.Select(witness => AskPatientlyAsync(witness, head, cancellationToken)));
        return [.. answers.OfType<NoteSignature>()];
    }

    private async Task<NoteSignature?> AskPatientlyAsync(
        WitnessAddress witness, SignedHead head, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        string reason;
        try
        {
            var (signature, fault) = await AskAsync(witness, head, limit.Token);
            if (signature is not null)
            {
                lock (_lock)
                {
                    _sizes[witness] = head.Head.Size;
                    _failed.Remove(witness);
                    _told.Forget(witness);
                }

                return signature;
            }

            reason = fault;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            reason = "it gave no answer in time";
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever a witness answers, it is none the less one that did not cosign.
            reason = exception.Message;
        }

        bool isNew;
        lock (_lock)
        {
            _failed[witness] = clock.GetTimestamp();
            isNew = _told.IsNew(witness, reason);
        }

        if (isNew)
        {
            Log.WitnessFailed(log, witness.Url.ToString(), head.Head.Size, reason);
        }

        return null;
    }

    private async Task<(NoteSignature? Signature, string Fault)> AskAsync(
        WitnessAddress witness, SignedHead head, CancellationToken cancellationToken)
    {
        long old;
        lock (_lock)
        {
            old = _sizes.GetValueOrDefault(witness);
        }

        // Twice: the first answer may say where the witness stands.
        for (var attempt = 0; ; attempt++)
        {
            var proof = await new LogReader(source, head.Head.Size).ConsistencyAsync(old, head.Head.Size, cancellationToken);
            var text = new StringBuilder($"old {old.ToString(CultureInfo.InvariantCulture)}\n");
            foreach (var hash in proof)
            {
                text.Append($"{Convert.ToBase64String(hash.ToArray())}\n");
            }

            using var answer = await client.PostAsync(
                new Uri(witness.Url, "add-checkpoint"), new StringContent($"{text}\n{head.Note}"), cancellationToken);
            var body = Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync(cancellationToken));
            switch ((int)answer.StatusCode)
            {
                case 200:
                    var lines = SignedNote.TryParseLines(body, out var signatures) ? signatures : [];
                    var found = lines.FirstOrDefault(line => line.KeyId == witness.Key.Id && line.Name == witness.Key.Name);
                    return found is not null && head.Note.With([found]).TryVerify([witness.Key], out _)
                        ? (found, "")
                        : (null, "its cosignature does not hold");
                case 409 when attempt == 0 && long.TryParse(
                    body.TrimEnd('\n'), NumberStyles.None, CultureInfo.InvariantCulture, out var known)
                    && known <= head.Head.Size:
                    old = known;
                    break;
                default:
                    return (null, $"it answered {(int)answer.StatusCode}: {Cut(body.Trim())}");
            }
        }
    }
    private static string Cut(string text) => text.Length <= MaxShown ? text : $"{text[..MaxShown]}...";
}
