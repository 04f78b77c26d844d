namespace MeshLedger.Tools.Cli;

/// <summary>Tells at once, on the thread that works.</summary>
internal sealed class Tell<T>(Action<T> tell) : IProgress<T>
{
    public void Report(T value) => tell(value);
}
