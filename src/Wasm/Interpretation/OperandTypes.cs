using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Interpretation;

/// <summary>The types of the operands as a function's code is read from its start, for one of its ops.</summary>
internal sealed class OperandTypes(FunctionCode code, Module module)
{
    private readonly Stack<(FunctionType Type, int Below)> _blocks = [];

    public List<ValueType> Stack { get; } = [];

    /// <summary>Reads the ops before <paramref name="end"/>.</summary>
    public void RunTo(int end)
    {
        _blocks.Push((code.Type, 0));
        for (var i = 0; i < end; i++)
        {
            Step(code.Ops[i]);
        }
    }

    public void Pop(int count) => Stack.RemoveRange(Stack.Count - count, count);

    public void Push(ReadOnlySpan<ValueType> types) => Stack.AddRange(types);

    private void Step(in Op op)
    {
        switch (op.Code)
        {
            case Opcode.Block or Opcode.Loop or Opcode.If:
                var block = code.BlockTypes[(int)op.Immediate];
                Pop(op.Code == Opcode.If ? 1 : 0);
                _blocks.Push((block, Stack.Count - block.Parameters.Length));
                break;
            case Opcode.Else:
                var (type, below) = _blocks.Peek();
                Pop(Stack.Count - below);
                Push(type.Parameters.AsSpan());
                break;
            case Opcode.End:
                var (ended, under) = _blocks.Pop();
                Pop(Stack.Count - under);
                Push(ended.Results.AsSpan());
                break;
            case Opcode.Call or Opcode.CallIndirect:
                var called = FrameImages.TypeOf(op, module);
                Pop(called.Parameters.Length + (op.Code == Opcode.CallIndirect ? 1 : 0));
                Push(called.Results.AsSpan());
                break;
            case Opcode.BrIf or Opcode.BrTable or Opcode.Drop or Opcode.LocalSet or Opcode.GlobalSet:
                Pop(1);
                break;
            case Opcode.Select or Opcode.SelectTyped:
                Pop(2);
                break;
            case Opcode.LocalGet or Opcode.GlobalGet:
                Stack.Add(op.Type);
                break;
            case Opcode.TableGet:
                Pop(1);
                Stack.Add(op.Type);
                break;
            case Opcode.TableSet:
                Pop(2);
                break;
            case Opcode.TableSize or Opcode.MemorySize or Opcode.I32Const:
                Stack.Add(ValueType.I32);
                break;
            case Opcode.TableGrow:
                Pop(2);
                Stack.Add(ValueType.I32);
                break;
            case Opcode.MemoryGrow or Opcode.RefIsNull:
                Pop(1);
                Stack.Add(ValueType.I32);
                break;
            case Opcode.MemoryInit or Opcode.MemoryCopy or Opcode.MemoryFill
                or Opcode.TableInit or Opcode.TableCopy or Opcode.TableFill:
                Pop(3);
                break;
            case Opcode.I64Const:
                Stack.Add(ValueType.I64);
                break;
            case Opcode.F32Const:
                Stack.Add(ValueType.F32);
                break;
            case Opcode.F64Const:
                Stack.Add(ValueType.F64);
                break;
            case Opcode.V128Const:
                Stack.Add(ValueType.V128);
                break;
            case Opcode.I8x16Shuffle:
                Pop(1);
                break;
            case Opcode.RefNull:
                Stack.Add(op.Type);
                break;
            case Opcode.RefFunc:
                Stack.Add(ValueType.FuncRef);
                break;
            default:
                Plain(Signatures.Of(op.Code));
                break;
        }
    }

    private void Plain(in OpSignature signature)
    {
        Pop((signature.First != 0 ? 1 : 0) + (signature.Second != 0 ? 1 : 0) + (signature.Third != 0 ? 1 : 0));
        if (signature.Result != 0)
        {
            Stack.Add(signature.Result);
        }
    }
}
