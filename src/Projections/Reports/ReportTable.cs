namespace MeshLedger.Projections.Reports;

/// <summary>What a column's values are.</summary>
public enum ReportUnit
{
    Text,
    Count,
    Mana,
    Milliseconds,

    /// <summary>Hundredths of a percent.</summary>
    BasisPoints,
    Points,
    Time,
}

/// <summary>A column: its name in JSON and CSV, and what its values are.</summary>
public sealed record ReportColumn(string Name, ReportUnit Unit);

/// <summary>A report: each row has a value or null for each column: text, <see cref="long"/>, or a
/// <see cref="DateTimeOffset"/>.</summary>
public sealed record ReportTable(IReadOnlyList<ReportColumn> Columns, IReadOnlyList<object?[]> Rows)
{
    public int IndexOf(string column) => Columns.ToList().FindIndex(one => one.Name == column);
}

/// <summary>What is asked of a report.</summary>
/// <param name="Name">One of <see cref="ReportNames.All"/>.</param>
/// <param name="By">How rows are grouped beside; one of <see cref="ReportNames.GroupsOf"/>, or null.</param>
/// <param name="From">From this time on; null: from the beginning.</param>
/// <param name="To">Before this time; null: to the end.</param>
public sealed record ReportQuestion(string Name, string? By, DateTimeOffset? From, DateTimeOffset? To);

/// <summary>The reports that there are.</summary>
public static class ReportNames
{
    public const string Jobs = "jobs";
    public const string Workers = "workers";
    public const string Accounts = "accounts";
    public const string Throughput = "throughput";
    public const string Failures = "failures";

    public const string ByDay = "day";
    public const string ByHour = "hour";
    public const string ByOperation = "operation";
    public const string ByWorker = "worker";
    public const string ByNamespace = "namespace";

    public static IReadOnlyList<string> All { get; } = [Jobs, Workers, Accounts, Throughput, Failures];

    /// <summary>How a report's rows may be grouped.</summary>
    public static IReadOnlyList<string> GroupsOf(string report) => report switch
    {
        Accounts => [],
        Throughput => [ByDay, ByHour],
        _ => [ByOperation, ByWorker, ByNamespace, ByDay],
    };
}
