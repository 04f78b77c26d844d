using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Ledger.Audit;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Audits;

/// <summary>An audit's result in SARIF 2.1.0 (OASIS), which code hosts and scanners' dashboards read: a rule for each kind of
/// fault, a result for each fault, whose logical locations are the stream, the event and the table.</summary>
internal static class AuditSarif
{
    private const string Schema = "https://json.schemastore.org/sarif-2.1.0.json";

    public static JsonObject Of(AuditResult result)
    {
        var kinds = AuditKinds.All.Keys.Order(StringComparer.Ordinal).ToList();
        return new JsonObject
        {
            ["$schema"] = Schema,
            ["version"] = "2.1.0",
            ["runs"] = new JsonArray(new JsonObject
            {
                ["tool"] = new JsonObject
                {
                    ["driver"] = new JsonObject
                    {
                        ["name"] = "meshledger audit",
                        ["semanticVersion"] = Version(),
                        ["rules"] = new JsonArray([.. kinds.Select(kind => new JsonObject
                        {
                            ["id"] = kind,
                            ["shortDescription"] = Text(AuditKinds.All[kind]),
                            ["defaultConfiguration"] = new JsonObject { ["level"] = "error" },
                        })]),
                    },
                },
                ["columnKind"] = "utf16CodeUnits",
                ["invocations"] = new JsonArray(new JsonObject
                {
                    ["executionSuccessful"] = true,
                    ["exitCode"] = result.IsClean ? ExitCodes.Ok : ExitCodes.AuditFault,
                    ["toolExecutionNotifications"] = new JsonArray([.. result.Report.Remarks.Select(remark => new JsonObject
                    {
                        ["level"] = "note",
                        ["message"] = Text(remark),
                    })]),
                }),
                ["properties"] = new JsonObject
                {
                    ["events"] = result.Report.Events,
                    ["head"] = result.Report.Head,
                    ["root"] = result.Report.Tree?.Root?.ToString(),
                    ["founder"] = result.Report.Founder?.ToString(),
                    ["fault_count"] = result.FaultCount,
                },
                ["results"] = new JsonArray([.. result.Faults.Select(fault => Result(fault, kinds.IndexOf(fault.Kind)))]),
            }),
        };
    }

    private static JsonObject Result(AuditFault fault, int rule) => new()
    {
        ["ruleId"] = fault.Kind,
        ["ruleIndex"] = rule,
        ["level"] = "error",
        ["message"] = Text($"{AuditText.Place(fault)}: {fault.Reason}"),
        ["locations"] = new JsonArray(new JsonObject { ["logicalLocations"] = new JsonArray([.. Locations(fault)]) }),
        ["partialFingerprints"] = new JsonObject { ["faultPlace/v1"] = Fingerprint(fault) },
        ["properties"] = new JsonObject
        {
            ["stream"] = fault.Stream,
            ["version"] = fault.Version,
            ["position"] = fault.Position,
            ["table"] = fault.Table,
            ["key"] = fault.Key,
            ["expected"] = fault.Expected,
            ["found"] = fault.Found,
        },
    };

    private static IEnumerable<JsonObject> Locations(AuditFault fault)
    {
        if (fault.Stream.Length > 0)
        {
            yield return Location("stream", fault.Stream, fault.Stream);
            if (fault.Version != 0)
            {
                yield return Location("event", $"version {fault.Version}", $"{fault.Stream}/{fault.Version}");
            }
        }

        if (fault.Position != 0)
        {
            yield return Location("position", $"position {fault.Position}", $"log/{fault.Position}");
        }

        if (fault.Table is { } table)
        {
            yield return Location("table", table, fault.Key is { } key ? $"{table}/{key}" : table);
        }
        else if (fault.Stream.Length == 0 && fault.Position == 0)
        {
            yield return Location("ledger", "ledger", "ledger");
        }
    }

    private static JsonObject Location(string kind, string name, string qualified) => new()
    {
        ["name"] = name,
        ["fullyQualifiedName"] = qualified,
        ["kind"] = kind,
    };

    /// <summary>The same for the same fault in every run: of its kind and place, not of what is found there.</summary>
    private static string Fingerprint(AuditFault fault) => Digest.OfBytes(Encoding.UTF8.GetBytes(
        string.Join('\n', fault.Kind, fault.Stream, fault.Version, fault.Position, fault.Table, fault.Key))).ToString();

    private static JsonObject Text(string text) => new() { ["text"] = SafeText.Line(text) };

    private static string Version() => Assembly.GetExecutingAssembly().GetName().Version?.ToString(3) ?? "0.0.0";
}
