using MeshLedger.Wasm.Code;
using static MeshLedger.Wasm.ValueType;

namespace MeshLedger.Wasm.Tests.Differential;

// Numbers, memory, tables and references.
internal sealed partial class RandomBody
{
    private static readonly (Opcode Code, OpSignature Signature)[] Operations =
        [.. Enum.GetValues<Opcode>().Select(code => (code, Signatures.Of(code))).Where(op => op.Item2.Shape != OpShape.Special && op.Item2.First != 0)];

    private static bool CanTrap(Opcode code) =>
        code is (>= Opcode.I32DivS and <= Opcode.I32RemU) or (>= Opcode.I64DivS and <= Opcode.I64RemU)
            or (>= Opcode.I32TruncF32S and <= Opcode.I32TruncF64U) or (>= Opcode.I64TruncF32S and <= Opcode.I64TruncF64U);

    private void Compute()
    {
        var (code, signature) = _module.Pick(Operations);
        // Half of the time something that fits what is there, so that results go on to be used.
        for (var tries = Next(2) * 30; tries > 0 && _stack.Count > _blocks[^1].Height && Last(signature) != _stack[^1]; tries--)
        {
            (code, signature) = _module.Pick(Operations);
        }
        if (CanTrap(code) && Next(20) > 0)
        {
            return;
        }
        switch (signature.Shape)
        {
            case OpShape.Load or OpShape.LoadLane:
                Address();
                if (signature.Second != 0)
                {
                    Push(signature.Second);
                    Pop();
                }
                Access(code, signature);
                break;
            case OpShape.Store or OpShape.StoreLane:
                Address();
                Push(signature.Second);
                Pop();
                Access(code, signature);
                break;
            default:
                Need([.. new[] { signature.First, signature.Second, signature.Third }.Where(type => type != 0)]);
                _code.Op(code);
                break;
        }
        if (signature.Lanes != 0)
        {
            _code.Byte((byte)Next(signature.Lanes));
        }
        if (signature.Result != 0)
        {
            _stack.Add(signature.Result);
        }
    }

    private static ValueType Last(OpSignature signature) =>
        signature.Third != 0 ? signature.Third : signature.Second != 0 ? signature.Second : signature.First;

    private void Address()
    {
        Need(I32);
        if (Next(60) > 0)
        {
            _code.I32(Next(3) == 0 ? 0xFFF0 : 0x3F).Op(Opcode.I32And);
        }
    }

    private void Access(Opcode code, OpSignature signature)
    {
        var most = System.Numerics.BitOperations.Log2(signature.Bytes);
        _code.Op(code).Unsigned(Next(most + 1)).Unsigned(Next(80) == 0 ? Next(70_000) : Next(12));
    }

    private void Select()
    {
        var type = _module.SomeType();
        Need(type, type, I32);
        if (type is FuncRef or ExternRef || Next(3) == 0)
        {
            _code.Op(Opcode.SelectTyped).Unsigned(1).Byte((byte)type);
        }
        else
        {
            _code.Op(Opcode.Select);
        }
        _stack.Add(type);
    }

    private void Memory()
    {
        if (Next(4) > 0)
        {
            Need(V128, V128);
            _code.Op(Opcode.I8x16Shuffle);
            for (var i = 0; i < 16; i++)
            {
                _code.Byte((byte)Next(32));
            }
            _stack.Add(V128);
            return;
        }
        if (Next(2) == 0)
        {
            _code.I32(Next(3)).Op(Opcode.MemoryGrow).Byte(0);
        }
        else
        {
            _code.Op(Opcode.MemorySize).Byte(0);
        }
        _stack.Add(I32);
    }

    private void Bulk()
    {
        switch (Next(8))
        {
            case < 3:
                Address();
                Push(I32);
                Pop();
                _code.I32(Next(300)).Op(Opcode.MemoryFill).Byte(0);
                break;
            case < 6:
                Address();
                _code.I32(Next(0x10100)).I32(Next(300)).Op(Opcode.MemoryCopy).Byte(0).Byte(0);
                break;
            case 6:
                Address();
                _code.I32(Next(20)).I32(Next(20)).Op(Opcode.MemoryInit, Next(3)).Byte(0);
                break;
            default:
                _code.Op(Opcode.DataDrop, Next(3));
                break;
        }
    }

    private void Tables()
    {
        var table = Next(3);
        var type = table == RandomModule.ExternTable ? ExternRef : FuncRef;
        var most = RandomModule.TableEntries + (Next(10) == 0 ? 6 : -6);
        switch (Next(9))
        {
            case 0:
                _code.I32(Next(most)).Op(Opcode.TableGet, table);
                _stack.Add(type);
                break;
            case 1:
                _code.I32(Next(most));
                Push(type);
                Pop();
                _code.Op(Opcode.TableSet, table);
                break;
            case 2:
                _code.Op(Opcode.TableSize, table);
                _stack.Add(I32);
                break;
            case 3:
                Need(type);
                _code.I32(Next(4)).Op(Opcode.TableGrow, table);
                _stack.Add(I32);
                break;
            case 4:
                _code.I32(Next(most));
                Push(type);
                Pop();
                _code.I32(Next(5)).Op(Opcode.TableFill, table);
                break;
            case 5 or 6:
                var from = type == ExternRef ? table : 2 - table;
                _code.I32(Next(most)).I32(Next(most)).I32(Next(6)).Op(Opcode.TableCopy, table, from);
                break;
            case 7:
                _code.I32(Next(most)).I32(Next(2)).I32(Next(3)).Op(Opcode.TableInit, type == ExternRef ? 3 : 2, table);
                break;
            default:
                if (Next(6) == 0)
                {
                    _code.Op(Opcode.ElemDrop, Next(5));
                }
                break;
        }
    }

    private void References()
    {
        var type = Next(2) == 0 ? FuncRef : ExternRef;
        Need(type);
        _code.Op(Opcode.RefIsNull);
        _stack.Add(I32);
    }
}
