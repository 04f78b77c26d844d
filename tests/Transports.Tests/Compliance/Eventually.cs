namespace MeshLedger.Transports.Tests.Compliance;

/// <summary>Waits for what nobody raises a signal for: a file that appears in a directory.</summary>
public static class Eventually
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    public static async Task True(Func<bool> condition, string what)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (!condition())
        {
            if (deadline.IsCancellationRequested)
            {
                throw new TimeoutException($"Not within {Deadline}: {what}");
            }

            await Task.Delay(5);
        }
    }
}
