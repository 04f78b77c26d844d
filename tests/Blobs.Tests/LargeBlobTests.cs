using System.Globalization;

namespace MeshLedger.Blobs.Tests;

/// <summary>One blob larger than what a process may grow by. MESHLEDGER_LARGE_BLOB_GIB sets another size than 3.</summary>
public sealed class LargeBlobTests : IDisposable
{
    private const long MostGrowth = 64 << 20;

    private readonly StoreDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_blob_of_gigabytes_comes_and_goes_in_constant_memory()
    {
        var gibibytes = int.Parse(
            Environment.GetEnvironmentVariable("MESHLEDGER_LARGE_BLOB_GIB") ?? "3", CultureInfo.InvariantCulture);
        var bytes = ((long)gibibytes << 30) + 12_345;
        using var child = ChildProgram.Start("large", _directory.Root, $"{bytes}");
        var said = await child.StandardOutput.ReadToEndAsync();
        await child.WaitForExitAsync();
        Assert.Equal(0, child.ExitCode);
        Assert.InRange(long.Parse(said, CultureInfo.InvariantCulture), 0, MostGrowth);
    }
}
