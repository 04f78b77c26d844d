using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Interpretation;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Snapshots;

/// <summary>Types of the values in frames, worked out once for each place: a deep recursion stands at few.</summary>
internal sealed class FrameTypes(Module module)
{
    private readonly Dictionary<int, FunctionCode> _codes = [];
    private readonly Dictionary<(int Function, int Offset, PausePoint Point), ValueType[]?> _types = [];

    public FunctionCode CodeOf(int function)
    {
        if (!_codes.TryGetValue(function, out var code))
        {
            _codes.Add(function, code = module.CodeOf(function));
        }
        return code;
    }

    /// <summary>Null where the function cannot stand still.</summary>
    public ValueType[]? At(int function, int offset, PausePoint point)
    {
        if (!_types.TryGetValue((function, offset, point), out var types))
        {
            var code = CodeOf(function);
            var op = FrameImages.OpAt(code, offset, point);
            types = op < 0 ? null : FrameImages.TypesAt(code, module, op, point);
            // Places come from strangers: those that are none are not remembered.
            if (types is not null)
            {
                _types.Add((function, offset, point), types);
            }
        }
        return types;
    }
}
