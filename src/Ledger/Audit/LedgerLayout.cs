using System.Reflection;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// What the facts stand in, as text: a line for each table, column, constraint, index, trigger, rule, policy, sequence
/// and function that appends or keeps events, such as
/// <code>
/// column mt_events.version: bigint NOT NULL
/// </code>
/// schemas/postgres/layout.txt is what the migrations make; LedgerLayoutTests makes it anew. Nothing else may stand on
/// these tables: a trigger rewrites what is signed, an index may refuse it.
/// </summary>
internal static class LedgerLayout
{
    private const int ShownLength = 400;

    // Formats are those of functions whose text is the same in PostgreSQL 15 to 17: no NOT NULL constraints, which later
    // versions list, and names without their schema.
    private const string Query =
        """
        WITH t AS (
            SELECT * FROM pg_class
            WHERE oid IN (to_regclass('mt_streams'), to_regclass('mt_events'), to_regclass('ml_event_ids'), to_regclass('ml_log_heads')))
        SELECT regexp_replace(line, '\s+', ' ', 'g') COLLATE "C" FROM (
            SELECT format('table %s: %s, %s%s%s', relname,
                CASE relkind WHEN 'r' THEN 'ordinary' ELSE 'of kind ' || relkind::text END,
                CASE relpersistence WHEN 'p' THEN 'permanent' ELSE 'not permanent' END,
                CASE WHEN relrowsecurity THEN ', row security' END,
                CASE WHEN EXISTS (SELECT FROM pg_inherits WHERE t.oid IN (inhparent, inhrelid)) THEN ', inherited' END)
            FROM t
            UNION ALL
            SELECT format('column %s.%s: %s%s%s%s', t.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                CASE WHEN a.attnotnull THEN ' NOT NULL' END, ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
                CASE WHEN a.attgenerated <> '' OR a.attidentity <> '' THEN ' GENERATED' END)
            FROM t JOIN pg_attribute a ON a.attrelid = t.oid
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT format('constraint %s on %s: %s%s', c.conname, t.relname, pg_get_constraintdef(c.oid, true),
                CASE WHEN EXISTS (SELECT FROM pg_trigger g WHERE g.tgconstraint = c.oid AND g.tgenabled NOT IN ('O', 'A'))
                    THEN ', disabled' END)
            FROM t JOIN pg_constraint c ON c.conrelid = t.oid
            WHERE c.contype NOT IN ('n', 't')
            UNION ALL
            SELECT format('index %s on %s: %s%s', c.relname, t.relname, pg_get_indexdef(i.indexrelid, 0, true),
                CASE WHEN NOT (i.indisvalid AND i.indisready AND i.indislive) THEN ', not valid' END)
            FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
            UNION ALL
            SELECT format('trigger %s on %s: %s', g.tgname, t.relname, pg_get_triggerdef(g.oid, true))
            FROM t JOIN pg_trigger g ON g.tgrelid = t.oid
            WHERE NOT g.tgisinternal
            UNION ALL
            SELECT format('rule %s on %s: %s', r.rulename, t.relname, pg_get_ruledef(r.oid, true))
            FROM t JOIN pg_rewrite r ON r.ev_class = t.oid
            UNION ALL
            SELECT format('policy %s on %s: for rows', p.polname, t.relname)
            FROM t JOIN pg_policy p ON p.polrelid = t.oid
            UNION ALL
            SELECT format('sequence mt_events_sequence: %s from %s by %s, %s to %s, cache %s%s',
                format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                CASE WHEN s.seqcycle THEN ', cycle' END)
            FROM pg_sequence s WHERE s.seqrelid = to_regclass('mt_events_sequence')
            UNION ALL
            SELECT format('function ml_append(%s): returns %s, language %s, %s%s%s, source sha256 %s',
                pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), l.lanname,
                array_to_string(p.proconfig, ', '),
                CASE WHEN p.prosecdef THEN ', security definer' END,
                CASE WHEN p.provolatile <> 'v' THEN ', not volatile' END,
                encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'))
            FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
            WHERE p.proname = 'ml_append' AND pg_function_is_visible(p.oid)) AS lines (line)
        ORDER BY 1
        """;

    /// <summary>What the migrations make.</summary>
    public static IReadOnlyList<string> Expected { get; } = ReadExpected();

    /// <summary>What stands in the database; nothing if there is no ledger in it.</summary>
    public static async Task<IReadOnlyList<string>> ReadAsync(
        NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        await using var command = new NpgsqlCommand(Query, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            lines.Add(reader.GetString(0));
        }

        return lines;
    }

    /// <summary>Each object that is missing, that is another, or that nobody made.</summary>
    public static IEnumerable<(string Name, string? Expected, string? Found)> Compare(IReadOnlyList<string> found)
    {
        var open = Expected.Select(Split).ToDictionary(StringComparer.Ordinal);
        foreach (var (name, text) in found.Select(Split))
        {
            if (!open.Remove(name, out var expected))
            {
                yield return (name, null, Cut(text));
            }
            else if (expected != text)
            {
                yield return (name, Cut(expected), Cut(text));
            }
        }

        foreach (var (name, expected) in open)
        {
            yield return (name, Cut(expected), null);
        }
    }

    private static KeyValuePair<string, string> Split(string line)
    {
        var end = line.IndexOf(": ", StringComparison.Ordinal);
        return KeyValuePair.Create(line[..end], line[(end + 2)..]);
    }

    private static string Cut(string text) => text.Length > ShownLength ? $"{text[..ShownLength]}..." : text;

    private static string[] ReadExpected()
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream("layout.txt")!);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
