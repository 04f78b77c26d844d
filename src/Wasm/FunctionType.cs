using System.Collections.Immutable;

namespace MeshLedger.Wasm;

/// <summary>What a function takes and gives. Equal when both lists are (structural typing, section 3.3).</summary>
public sealed class FunctionType : IEquatable<FunctionType>
{
    private readonly int _hash;

    public FunctionType(ImmutableArray<ValueType> parameters, ImmutableArray<ValueType> results)
    {
        Parameters = parameters;
        Results = results;
        ParameterWords = parameters.AsSpan().Words();
        ResultWords = results.AsSpan().Words();
        var hash = new HashCode();
        foreach (var type in parameters)
        {
            hash.Add(type);
        }
        hash.Add(-1);
        foreach (var type in results)
        {
            hash.Add(type);
        }
        _hash = hash.ToHashCode();
    }

    public ImmutableArray<ValueType> Parameters { get; }

    public ImmutableArray<ValueType> Results { get; }

    /// <summary>64-bit words that the parameters take: two for a v128, one for each other.</summary>
    internal int ParameterWords { get; }

    internal int ResultWords { get; }

    public bool Equals(FunctionType? other) =>
        other is not null && _hash == other._hash
        && Parameters.AsSpan().SequenceEqual(other.Parameters.AsSpan())
        && Results.AsSpan().SequenceEqual(other.Results.AsSpan());

    public override bool Equals(object? obj) => Equals(obj as FunctionType);

    public override int GetHashCode() => _hash;

    /// <summary>As in the specification: <c>[i32 i64] -> [f64]</c>.</summary>
    public override string ToString() => $"[{Names(Parameters)}] -> [{Names(Results)}]";

    private static string Names(ImmutableArray<ValueType> types) => string.Join(' ', types.Select(type => type.Name()));
}
