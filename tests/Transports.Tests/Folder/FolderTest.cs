using MeshLedger.Domain.Jobs;
using MeshLedger.Transports.Tests.Compliance;

namespace MeshLedger.Transports.Tests.Folder;

/// <summary>A test with a folder and an intake of its own.</summary>
public abstract class FolderTest : IAsyncLifetime, IAsyncDisposable
{
    private protected readonly FolderPlace _place = new();
    private protected readonly ScriptedIntake _intake = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _place.DisposeAsync();
        await _intake.DisposeAsync();
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await DisposeAsync();
    }

    protected static JobId Id(string name) => JobId.Parse("job-of-" + name);
}
