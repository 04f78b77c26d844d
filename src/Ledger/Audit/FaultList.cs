using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>The faults of one audit, and the parts of it, each of which is looked at whatever the others find.</summary>
internal sealed class FaultList
{
    private readonly List<AuditFault> _faults = [];
    private bool _isRight = true;

    public IReadOnlyList<AuditFault> Faults => _faults;

    public long Count { get; private set; }

    public void Report(AuditFault fault)
    {
        Count++;
        if (_faults.Count < LedgerAudit.MaxFaults)
        {
            _faults.Add(fault);
        }
    }

    /// <summary>Compares the layout. Where it is another, what cannot be read is a fault, too.</summary>
    public async Task CompareLayoutAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var layout = await LedgerLayout.ReadAsync(connection, cancellationToken);
        foreach (var (name, expected, found) in layout.Count == 0 ? [] : LedgerLayout.Compare(layout))
        {
            _isRight = false;
            Report(new AuditFault("wrong_layout", "", 0, 0, expected ?? "none", found ?? "none")
            {
                Table = name,
                Reason = expected is null ? $"{name} is none of MeshLedger's: {found}"
                    : found is null ? $"{name} is missing: expected {expected}"
                    : $"{name}: expected {expected}; found {found}",
            });
        }
    }

    /// <summary>Looks at a part. What was changed under it cannot be read as it should be: that is a fault, and the other
    /// parts are still looked at.</summary>
    /// <returns>False if it could not be read.</returns>
    public async Task<bool> PartAsync(
        NpgsqlTransaction transaction, string what, Func<Task> look, CancellationToken cancellationToken)
    {
        await transaction.SaveAsync("part", cancellationToken);
        try
        {
            await look();
            return true;
        }
        catch (PostgresException exception) when (!_isRight && exception.SqlState is
            PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedTable
            or PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.DatatypeMismatch
            or PostgresErrorCodes.WrongObjectType)
        {
            await transaction.RollbackAsync("part", cancellationToken);
            CannotRead(what, exception.MessageText);
        }
        catch (Exception exception) when (!_isRight && EventRow.IsOfTheValue(exception))
        {
            CannotRead(what, exception.Message);
        }

        return false;
    }

    private void CannotRead(string what, string message) => Report(
        new AuditFault("wrong_layout", "", 0, 0, $"{what} in MeshLedger's layout", message)
        {
            Table = what,
            Reason = $"{what} cannot be read: {message}",
        });
}
