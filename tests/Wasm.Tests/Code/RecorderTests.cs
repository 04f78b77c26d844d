using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Tests.Generated;

namespace MeshLedger.Wasm.Tests.Code;

public sealed class RecorderTests
{
    [Fact]
    public void What_stands_in_blocks_that_nothing_reaches_is_left_out_and_costs_nothing()
    {
        var body = new CodeWriter().Op(Opcode.Return)
            .Open(Opcode.Block).Open(Opcode.Block).I32(0).Op(Opcode.BrTable).Bytes([1, 1, 0]).End().End()
            .Open(Opcode.Loop).I32(1).Op(Opcode.BrIf, 0).I32(1).Op(Opcode.Drop).End()
            .I32(1).Open(Opcode.If).Op(Opcode.Nop).Op(Opcode.Else).I32(2).Op(Opcode.Drop).End();
        var writer = new ModuleWriter();
        writer.Function(writer.Type([], []), [], body, "f");
        var code = Module.Decode(writer.ToArray()).CodeOf(0);
        Assert.Equal([Opcode.Charge, Opcode.Return, Opcode.End], code.Ops.Select(op => op.Code));
        Assert.Equal(1UL, code.Ops[0].Immediate);
    }
}
