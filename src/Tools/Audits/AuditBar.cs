using System.Globalization;
using MeshLedger.Ledger.Audit;
using MeshLedger.Tools.Cli;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace MeshLedger.Tools.Audits;

/// <summary>How far an audit is, with events a second and the time that is left: on a terminal only.</summary>
internal static class AuditBar
{
    public static async Task<T> RunAsync<T>(Call call, Func<IProgress<AuditProgress>?, Task<T>> run)
    {
        if (Console.IsErrorRedirected || !call.Output.IsText)
        {
            return await run(null);
        }

        return await TerminalTables.Console(Console.Error).Progress().AutoClear(true)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new Rate(),
                new RemainingTimeColumn())
            .StartAsync(async context => await run(new Bar(context.AddTask("auditing"))));
    }

    /// <summary>Tells at once, on the thread that works.</summary>
    private sealed class Bar(ProgressTask task) : IProgress<AuditProgress>
    {
        public void Report(AuditProgress value)
        {
            task.MaxValue = Math.Max(value.Total, 1);
            task.Value = value.Done;
        }
    }

    private sealed class Rate : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(task.Speed is { } speed
                ? string.Create(CultureInfo.InvariantCulture, $"{speed:N0} events/s")
                : "");
    }
}
