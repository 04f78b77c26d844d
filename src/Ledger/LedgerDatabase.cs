using Npgsql;

namespace MeshLedger.Ledger;

/// <summary>How this process speaks to a ledger's database.</summary>
public static class LedgerDatabase
{
    /// <summary>Some nodes and a few commands fit into a server's 100 connections.</summary>
    private const int MaxPoolSize = 30;

    /// <summary>Where a connection string leads, for people: host and port, nothing that is secret.</summary>
    /// <exception cref="ArgumentException">It is no connection string of Npgsql.</exception>
    public static string NameOf(string connection)
    {
        var builder = new NpgsqlConnectionStringBuilder(connection);
        return $"{builder.Host}, port {builder.Port}";
    }

    /// <summary>In words, why the database did not answer.</summary>
    public static string Explain(NpgsqlException exception) => DatabaseFault.Explain(exception);

    /// <summary>A source for <paramref name="connection"/>, with what suits the ledger wherever the text does not say
    /// otherwise: statements are prepared, and a connection is not reset when it changes hands, for nothing here leaves
    /// anything behind in it.</summary>
    /// <exception cref="ArgumentException">It is no connection string of Npgsql.</exception>
    public static NpgsqlDataSource Open(string connection)
    {
        var builder = new NpgsqlConnectionStringBuilder(connection);
        var given = builder.Keys.Cast<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (!given.Contains("Maximum Pool Size"))
        {
            builder.MaxPoolSize = MaxPoolSize;
        }

        if (!given.Contains("Max Auto Prepare"))
        {
            builder.MaxAutoPrepare = 100;
            builder.AutoPrepareMinUsages = 2;
        }

        if (!given.Contains("No Reset On Close"))
        {
            builder.NoResetOnClose = true;
        }

        return NpgsqlDataSource.Create(builder);
    }
}
