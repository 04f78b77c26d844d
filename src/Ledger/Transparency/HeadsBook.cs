using System.Text;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Transparency;

/// <summary>The heads that a log signed, in both places that keep them: the database, which nodes share and which comes
/// first, and the file, which outsiders read.</summary>
internal sealed class HeadsBook(LogFiles files, HeadsTable table, EntryReader entries, LogKeyring ring)
{
    /// <summary>The latest head, after the database and the file of heads have the same ones.</summary>
    public async Task<SignedHead?> AgreeAsync(bool isRepair, CancellationToken cancellationToken)
    {
        var line = files.LastHeadLine();
        var inFile = line is null ? null : SignedHead.ReadLine(line, ring.Keys);
        if (line is not null && inFile is null && !isRepair)
        {
            throw new IOException(
                $"The last line of {files.Source.Name}/{LogFiles.Heads} is no tree head that {ring.Keys} signed. Run: "
                + "meshledger log fsck --repair");
        }

        var inTable = await table.LastAsync(cancellationToken);
        var (size, known) = (inFile?.Head.Size ?? 0, inTable?.Head.Size ?? 0);
        if (known > size)
        {
            await AppendAsync(size, cancellationToken);
            return inTable;
        }

        if (size > known)
        {
            // A database that was put back from a copy: it must first show that it has what was signed.
            await LogRebuild.ProveAsync(entries, inFile!, progress: null, cancellationToken);
            await foreach (var head in LogHeads.ReadAsync(files.Source, ring.Keys, cancellationToken))
            {
                if (head is not null && head.Head.Size > known)
                {
                    await table.AddAsync(head, cancellationToken);
                }
            }

            return inFile;
        }

        return inFile is null || inFile.Head.Root == inTable!.Head.Root
            ? inFile
            : throw new InvalidHistoryException(
                $"The log signed two tree heads of size {size}: {inFile.Head.Root} in its files, {inTable.Head.Root} in the "
                + "database.");
    }

    /// <summary>Appends the heads of more than so many entries that the database has to the file.</summary>
    public async Task AppendAsync(long size, CancellationToken cancellationToken) =>
        files.AppendHeads(await LinesAsync(size, cancellationToken));

    public async Task<string> LinesAsync(long size, CancellationToken cancellationToken)
    {
        var lines = new StringBuilder();
        await foreach (var head in table.AfterAsync(size, cancellationToken))
        {
            lines.Append(head.Line);
        }

        return lines.ToString();
    }
}
