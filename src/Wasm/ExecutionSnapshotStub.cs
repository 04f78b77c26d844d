namespace MeshLedger.Wasm;

public sealed partial class Execution
{
    public static Execution Resume(Instance instance, Stream snapshot, out byte[] hostState) => throw new NotImplementedException();

    public void WriteSnapshot(Stream to, ReadOnlySpan<byte> hostState) => throw new NotImplementedException();

    public static void WriteState(Instance instance, Stream to) { }
}
