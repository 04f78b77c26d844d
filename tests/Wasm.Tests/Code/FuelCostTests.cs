using System.Globalization;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Tests.Code;

/// <summary>What instructions cost is part of what receipts mean: both tiers read one table, so it is pinned here.</summary>
public sealed class FuelCostTests
{
    [Fact]
    public void Every_instruction_costs_what_the_table_of_this_version_says()
    {
        Assert.Equal(1, FuelCosts.Version);
        string[] others =
        [
            "Nop 0", "Block 0", "Loop 0", "Else 0", "End 0", "Charge 0", "BrTable 2", "Call 4", "CallIndirect 6",
            "I32DivS 4", "I32DivU 4", "I32RemS 4", "I32RemU 4", "I64DivS 4", "I64DivU 4", "I64RemS 4", "I64RemU 4",
            "F32Div 4", "F32Sqrt 4", "F64Div 4", "F64Sqrt 4", "F32x4Div 4", "F32x4Sqrt 4", "F64x2Div 4", "F64x2Sqrt 4",
            "MemoryGrow 32", "TableGrow 32", "MemoryInit 8", "MemoryCopy 8", "MemoryFill 8", "TableInit 8", "TableCopy 8", "TableFill 8",
        ];
        var found = Enum.GetValues<Opcode>().Where(code => FuelCosts.Of(code) != 1)
            .Select(code => string.Create(CultureInfo.InvariantCulture, $"{code} {FuelCosts.Of(code)}"));
        Assert.Equal(others.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(0UL, 0, 0)]
    [InlineData(1UL, 1, 1)]
    [InlineData(8UL, 1, 1)]
    [InlineData(9UL, 1, 2)]
    [InlineData(64UL, 1, 8)]
    [InlineData(65UL, 2, 9)]
    [InlineData(4_294_967_295UL, 67_108_864, 536_870_912)]
    public void Bulk_instructions_cost_by_what_they_move(ulong count, long bytes, long entries)
    {
        Assert.Equal((bytes, entries), (FuelCosts.OfBytes(count), FuelCosts.OfEntries(count)));
        Assert.Equal(64, FuelCosts.GrownPage);
    }
}
