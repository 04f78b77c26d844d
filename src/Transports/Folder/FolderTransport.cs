using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MeshLedger.Transports.Folder;

/// <summary>
/// The way in through a folder: a job document that is put into <c>inbox/</c> as <c>*.json</c> is run, and answered by
/// <c>results/JOB_ID.result.json</c>; the file itself ends in <c>done/</c> or, with the reason beside it, in
/// <c>failed/</c>. Any number of nodes may share one folder. Linux only.
/// </summary>
public sealed class FolderTransport : ITransport
{
    private static readonly TimeSpan Steady = TimeSpan.FromSeconds(30);
    private readonly FolderTransportOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<FolderTransport> _logger;

    /// <exception cref="OptionsValidationException">The options are wrong.</exception>
    public FolderTransport(
        IOptions<FolderTransportOptions> options, TimeProvider time, ILogger<FolderTransport> logger)
    {
        _options = options.Value;
        _time = time;
        _logger = logger;
        var validation = new FolderTransportOptionsValidator().Validate(null, _options);
        if (validation.Failed)
        {
            throw new OptionsValidationException(
                nameof(FolderTransportOptions), typeof(FolderTransportOptions), validation.Failures);
        }
    }

    /// <inheritdoc/>
    public string Name => "folder";

    /// <inheritdoc/>
    /// <remarks>A folder that cannot be opened, or vanishes, is opened again until it can be.</remarks>
    public async Task RunAsync(IJobIntake intake, CancellationToken stopping)
    {
        // Opening blocks, for long when a file server is away; the caller goes on.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        for (var failures = 0; !stopping.IsCancellationRequested;)
        {
            var opened = _time.GetTimestamp();
            try
            {
                using var session = FolderSession.Open(_options, intake, Name, _time, _logger, stopping);
                await session.RunAsync();
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                failures = _time.GetElapsedTime(opened) >= Steady ? 1 : failures + 1;
                var pause = BackOff.After(failures);
                Log.FolderUnusable(_logger, failure, _options.Directory, pause.TotalSeconds);
                await Task.Delay(pause, _time, stopping)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
    }
}
