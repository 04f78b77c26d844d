using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm;

/// <summary>What a receipt says of the engine.</summary>
public static class WasmEngine
{
    /// <summary>The version of the table of what instructions cost. Fuel of another table is another unit.</summary>
    public const int FuelTable = FuelCosts.Version;
}
