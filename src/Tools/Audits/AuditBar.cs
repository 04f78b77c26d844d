using System.Globalization;
using MeshLedger.Tools.Cli;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace MeshLedger.Tools.Audits;

/// <summary>How far an audit is, with events a second and the time that is left: on a terminal only.</summary>
internal static class AuditBar
{
    /// <param name="what">What is done now.</param>
    /// <param name="run">Gets what takes how many events are done, of how many; null where there is no terminal.</param>
    public static async Task<T> RunAsync<T>(Call call, string what, Func<Action<long, long>?, Task<T>> run)
    {
        if (Console.IsErrorRedirected || !call.Output.IsText)
        {
            return await run(null);
        }

        return await TerminalTables.Console(Console.Error).Progress().AutoClear(true)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new Rate(),
                new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                var task = context.AddTask(what);
                return await run((done, total) =>
                {
                    task.MaxValue = Math.Max(total, 1);
                    task.Value = done;
                });
            });
    }

    private sealed class Rate : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(task.Speed is { } speed
                ? string.Create(CultureInfo.InvariantCulture, $"{speed:N0} events/s")
                : "");
    }
}
