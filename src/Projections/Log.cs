using Microsoft.Extensions.Logging;

namespace MeshLedger.Projections;

internal static partial class Log
{
    [LoggerMessage(6000, LogLevel.Warning,
        "Projection {Name} is not kept up ({Reason}); trying again in {Milliseconds} ms.")]
    public static partial void Postponed(ILogger log, string name, double milliseconds, string reason);
}
