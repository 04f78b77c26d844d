using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Bundles;

/// <summary>Checks a bundle with nothing but the bundle and a policy: no node, no database, no network, no file but the
/// archive itself, which is read once from beginning to end.</summary>
public static class BundleVerifier
{
    /// <exception cref="IOException">The archive cannot be read.</exception>
    public static async Task<BundleReport> VerifyAsync(
        Stream archive, BundlePolicy policy, CancellationToken cancellationToken)
    {
        try
        {
            return Verify(await BundleContent.ReadAsync(archive, cancellationToken), policy, cancellationToken);
        }
        catch (BundleFormatException exception)
        {
            return new BundleReport(
                policy, null, null, [], null, 0, [], [],
                [new BundleFault("not_a_bundle", exception.Place, exception.Expected, exception.Found)]);
        }
    }

    private static BundleReport Verify(BundleContent content, BundlePolicy policy, CancellationToken cancellationToken)
    {
        var faults = new List<BundleFault>();
        var signed = Head(content.Head, faults.Add);
        var events = Examine(content, faults.Add, cancellationToken);
        var fold = new BundleFold(StreamId.OfLog(signed?.Head.Origin ?? ""), faults.Add);
        events.ForEach(fold.Take);
        var (key, cosigned, uncheckedLines) = signed is { } parsed
            ? Signers(parsed.Head, parsed.Note, fold.LogKeys, policy, faults.Add)
            : (null, [], 0);
        var head = key is null ? null : signed?.Head;
        if (faults.Count == 0)
        {
            Copies(content, events, key!, head!, faults.Add);
        }

        if (faults.Count == 0 && fold.Registry.Founder.IsDefault)
        {
            faults.Add(new BundleFault("missing", "events/", $"the stream {StreamId.Ledger}, which begins with ledger_founded", "none"));
        }

        Did? founder = fold.Registry.Founder.IsDefault ? null : fold.Registry.Founder;
        var jobs = faults.Count == 0 ? BundleJobs.Of(fold, content.Blobs, faults.Add) : [];
        if (faults.Count == 0)
        {
            Trust(policy, founder, jobs, faults.Add);
        }

        return new BundleReport(policy, head, key, cosigned, founder, events.Count, content.Blobs, jobs, faults)
        {
            UncheckedSignatures = uncheckedLines,
            TrustedKey = key is null ? null : policy.Logs.First(log => Believed(log, head!, fold.LogKeys) == key),
        };
    }

    private static (TreeHead Head, SignedNote Note)? Head(byte[] bytes, Action<BundleFault> report)
    {
        if (SignedNote.TryParse(bytes, out var note) && TreeHead.TryParse(note!.Text, out var head)
            && note.ToBytes().AsSpan().SequenceEqual(bytes))
        {
            return (head, note);
        }

        report(new BundleFault(
            "wrong_head", BundleNames.Head, "a signed tree head (C2SP tlog-checkpoint)", bytes.Length == 0 ? "none" : "something else"));
        return null;
    }

    /// <summary>The key that must have signed a head, for somebody who believes one of the log's keys; null: none that he
    /// believes.</summary>
    private static NoteKey? Believed(NoteKey log, TreeHead head, LogKeys? keys) =>
        log.Name != head.Origin ? null : keys?.BelievedBy(log) is { } believed ? believed.For(head.Size) : log;

    private static (NoteKey? Key, IReadOnlyList<VerifiedSignature> Cosigned, int Unchecked) Signers(
        TreeHead head, SignedNote note, LogKeys? keys, BundlePolicy policy, Action<BundleFault> report)
    {
        void Wrong(string kind, string expected, string found) =>
            report(new BundleFault(kind, BundleNames.Head, expected, found));
        var logs = policy.Logs.Select(log => Believed(log, head, keys)).OfType<NoteKey>().Distinct().ToList();
        if (logs.Count == 0)
        {
            var handedOver = policy.Logs.Any(log => log.Name == head.Origin)
                ? $"{head.Origin} with a key to which none of these handed it over"
                : head.Origin;
            Wrong("untrusted_log", $"one of the logs {string.Join(", ", policy.Logs.Select(log => log.Name))}", handedOver);
            return (null, [], 0);
        }

        if (!note.TryVerify([.. logs, .. policy.Witnesses], out var verified)
            || verified.FirstOrDefault(one => logs.Contains(one.Key)) is not { } signer)
        {
            Wrong(
                "bad_signature", $"a signature by {string.Join(" or ", logs)}, and none that does not hold by a key of the policy",
                "no such signature");
            return (null, [], 0);
        }

        // Whoever has several names counts once, and no log is its own witness.
        var own = policy.Logs.Concat(logs).Select(log => log.Key).ToHashSet();
        var cosigned = verified.Where(one => policy.Witnesses.Contains(one.Key) && !own.Contains(one.Key.Key))
            .DistinctBy(one => one.Key.Key).ToList();
        if (cosigned.Count < policy.Quorum)
        {
            Wrong(
                "quorum_missed", $"cosignatures by {policy.Quorum} of the {policy.Witnesses.Count} witnesses",
                $"{cosigned.Count}");
        }

        return (signer.Key, cosigned, note.Signatures.Count - verified.Count);
    }

    private static List<BundleEvent> Examine(
        BundleContent content, Action<BundleFault> report, CancellationToken cancellationToken)
    {
        var verifier = new BatchVerifier();
        var events = new List<BundleEvent>();
        foreach (var position in content.Events.Keys.Union(content.Proofs.Keys).Order())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!content.Events.TryGetValue(position, out var statement))
            {
                report(new BundleFault("missing", BundleNames.Of(BundleEntryKind.Event, position), "the statement of a proof", "none"));
            }
            else if (!content.Proofs.TryGetValue(position, out var proof))
            {
                report(new BundleFault("missing", BundleNames.Of(BundleEntryKind.Proof, position), "the proof of a statement", "none"));
            }
            else if (BundleEvent.Examine(position, statement, proof, content.Head, verifier, report) is { } one)
            {
                events.Add(one);
            }
        }

        if (events.Count == 0)
        {
            report(new BundleFault("missing", "events/", "at least one event that is proven", "none"));
        }

        return events;
    }

    /// <summary>What stands in the bundle a second time must be what stands there the first time, all of it, and nothing
    /// else.</summary>
    private static void Copies(
        BundleContent content, List<BundleEvent> events, NoteKey key, TreeHead head, Action<BundleFault> report)
    {
        var told = events.ConvertAll(one => (one.Position, one.Statement));
        var expected = events.SelectMany(one => one.Copies.Select(copy => (one.Position, copy.Kind, copy.Bytes))).ToList();
        foreach (var (kind, found) in new[]
        {
            (BundleEntryKind.Document, content.Documents), (BundleEntryKind.Attestation, content.Attestations),
        })
        {
            var copies = expected.Where(copy => copy.Kind == kind).ToDictionary(copy => copy.Position, copy => copy.Bytes);
            foreach (var position in copies.Keys.Union(found.Keys))
            {
                Same(BundleNames.Of(kind, position), copies.GetValueOrDefault(position), found.GetValueOrDefault(position));
            }
        }

        Same(BundleNames.Keys, BundleIndex.WriteKeys(told), content.Keys);
        Same(BundleNames.Index, BundleIndex.Write(content.Blobs, told, key, head.Size), content.Index);

        void Same(string place, byte[]? expected, byte[]? found)
        {
            if (expected is null || found is null || !expected.AsSpan().SequenceEqual(found))
            {
                report(new BundleFault(
                    found is not { Length: > 0 } ? "missing" : "wrong_copy",
                    place,
                    expected is null ? "nothing of this name" : "what follows from the events",
                    found is not { Length: > 0 } ? "nothing" : "something else"));
            }
        }
    }

    private static void Trust(BundlePolicy policy, Did? founder, IReadOnlyList<BundledJob> jobs, Action<BundleFault> report)
    {
        if (policy.Founder is { } expected && founder != expected)
        {
            report(new BundleFault("untrusted_founder", "bundle.json", expected.ToString(), founder?.ToString() ?? "none"));
        }

        foreach (var job in jobs)
        {
            var place = BundleNames.Of(BundleEntryKind.Event, job.Position);
            if (policy.Submitters?.Contains(job.Submitter) is false)
            {
                report(new BundleFault("untrusted_submitter", place, "a submitter of the policy", job.Submitter.ToString()));
            }

            foreach (var receipt in job.Receipts.Where(receipt => receipt.IsResult))
            {
                if (policy.Workers?.Contains(receipt.Worker) is false)
                {
                    report(new BundleFault(
                        "untrusted_worker", BundleNames.Of(BundleEntryKind.Event, receipt.Position), "a worker of the policy",
                        receipt.Worker.ToString()));
                }
            }
        }
    }
}
