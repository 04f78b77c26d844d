using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.Accounts;

/// <summary>One row an account: granted + regenerated + received = balance + escrow + paid.</summary>
internal sealed class AccountsProjection : IProjection
{
    public string Name => "accounts";

    public void Forget()
    {
        // Rows are changed by sums, so nothing is remembered.
    }

    public async Task ApplyAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var changes = new Dictionary<Did, Change>();
        foreach (var recorded in events)
        {
            if (recorded.Statement.Body is AccountEvent body && recorded.Statement.Stream.IsAccount(out var owner))
            {
                if (!changes.TryGetValue(owner, out var change))
                {
                    changes.Add(owner, change = new Change());
                }

                change.Add(body, recorded.Position);
            }
        }

        if (changes.Count == 0)
        {
            return;
        }

        // Two statements, since a row that is proposed for insertion must keep its constraints even when it only
        // carries a change.
        await using var open = new NpgsqlCommand(
            "INSERT INTO accounts SELECT o, 0, 0, 0, 0, 0, 0, 0 FROM unnest($1) AS o ON CONFLICT (owner) DO NOTHING",
            connection);
        open.AddColumn(changes, change => change.Key.ToString(), NpgsqlDbType.Text);
        await open.ExecuteNonQueryAsync(cancellationToken);
        await using var command = new NpgsqlCommand(
            """
            UPDATE accounts a SET
                granted = a.granted + c.granted, regenerated = a.regenerated + c.regenerated,
                balance = a.balance + c.balance, escrow = a.escrow + c.escrow,
                paid = a.paid + c.paid, received = a.received + c.received, position = c.position
                FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
                    AS c (owner, granted, regenerated, balance, escrow, paid, received, position)
                WHERE a.owner = c.owner
            """,
            connection);
        command.AddColumn(changes, change => change.Key.ToString(), NpgsqlDbType.Text);
        command.AddColumn(changes, change => change.Value.Granted, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Regenerated, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Balance, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Escrow, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Paid, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Received, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Position, NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private sealed class Change
    {
        public long Granted { get; private set; }
        public long Regenerated { get; private set; }
        public long Balance { get; private set; }
        public long Escrow { get; private set; }
        public long Paid { get; private set; }
        public long Received { get; private set; }
        public long Position { get; private set; }

        public void Add(AccountEvent body, long position)
        {
            Position = position;
            switch (body)
            {
                case AccountEvent.Opened opened:
                    Granted += opened.Grant;
                    Balance += opened.Grant;
                    break;
                case AccountEvent.Regenerated grown:
                    Regenerated += grown.Amount;
                    Balance += grown.Amount;
                    break;
                case AccountEvent.Held held:
                    Balance -= held.Amount;
                    Escrow += held.Amount;
                    break;
                case AccountEvent.Paid paid:
                    Escrow -= paid.Amount;
                    Paid += paid.Amount;
                    break;
                case AccountEvent.Refunded refunded:
                    Escrow -= refunded.Amount;
                    Balance += refunded.Amount;
                    break;
                case AccountEvent.Received received:
                    Balance += received.Amount;
                    Received += received.Amount;
                    break;
            }
        }
    }
}
