using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What a receipt may say, whoever issues it.</summary>
internal static class ReceiptRules
{
    public static Refusal? Check(Receipt receipt)
    {
        if (receipt.Error is { } error && JobError.IsForNodes(error.Code))
        {
            return JobRules.No("WRONG_ERROR", "that a lease was lost is for a node to say: such attempts are not counted");
        }

        if ((OutputName.Check(receipt.Engine) ?? OutputName.Check(receipt.Outputs.Select(output => output.Name))) is { } wrong)
        {
            return wrong;
        }

        foreach (var output in receipt.Outputs)
        {
            if (Bytes(output.Name, output.Size, output.Blake3, output.Sha256, output.Text, output.Base64) is { } refusal)
            {
                return refusal;
            }
        }

        return receipt.Guest?.Check();
    }

    /// <summary>Bytes that stand in an event are those of the digests beside them: workers agree by digests, people
    /// read the bytes.</summary>
    public static Refusal? Bytes(
        string name, long size, BlobHash blake3, Digest? sha256, string? text, string? base64)
    {
        if (text is null && base64 is null)
        {
            return JobRules.Require(size >= 0, "WRONG_OUTPUT", $"output {name} has {size} bytes");
        }

        var limit = Math.Max(text?.Length ?? 0, (base64?.Length ?? 0) / 4 * 3);
        return JobRules.Require(
            (text is null || base64 is null) && limit <= ReceiptOutput.MaxInline + 2
                && TryRead(text, base64, out var bytes) && bytes.Length == size && size <= ReceiptOutput.MaxInline
                && Blake3.Hash(bytes) == blake3 && (sha256 is null || Digest.OfBytes(bytes) == sha256),
            "WRONG_OUTPUT",
            $"the bytes of output {name} are not those of its digests and size");
    }

    private static bool TryRead(string? text, string? base64, out byte[] bytes)
    {
        bytes = text is null ? new byte[base64!.Length / 4 * 3] : Encoding.UTF8.GetBytes(text);
        if (text is not null)
        {
            return true;
        }

        var valid = Convert.TryFromBase64String(base64!, bytes, out var written) && Convert.ToBase64String(bytes, 0, written) == base64;
        bytes = bytes[..written];
        return valid;
    }
}
