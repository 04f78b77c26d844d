using System.Security.Cryptography;
using MeshLedger.Wasm.Binary;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm;

/// <summary>
/// A decoded and validated module (WebAssembly 2.0, section 2.5). Immutable and safe for threads; what was compiled of it is
/// kept with it and shared by its instances.
/// </summary>
public sealed partial class Module
{
    private readonly Lazy<NameSection> _names;
    private readonly Lazy<byte[]> _hash;

    internal Module(ReadOnlyMemory<byte> bytes, ModuleLimits limits)
    {
        Bytes = bytes;
        Limits = limits;
        _names = new Lazy<NameSection>(() => NameSection.Read(this));
        _hash = new Lazy<byte[]>(() => SHA256.HashData(Bytes.Span));
    }

    /// <summary>
    /// Reads and checks a module. Throws <see cref="MalformedModuleException"/>, <see cref="InvalidModuleException"/> or
    /// <see cref="ModuleLimitException"/>. The bytes are kept, not copied; they must not change. Time and memory are linear in
    /// their number.
    /// </summary>
    public static Module Decode(ReadOnlyMemory<byte> bytes, ModuleLimits? limits = null)
    {
        var module = ModuleDecoder.Decode(bytes, limits ?? ModuleLimits.Default);
        try
        {
            ModuleValidator.Validate(module);
        }
        catch (InvalidModuleException)
        {
            SyntaxCheck.Bodies(module);
            throw;
        }
        return module;
    }

    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>SHA-256 of the module's bytes; snapshots name it.</summary>
    public ReadOnlyMemory<byte> Hash => _hash.Value;

    /// <summary>Names and kinds of what it exports ("function", "table", "memory", "global").</summary>
    public IEnumerable<KeyValuePair<string, string>> ExportNames =>
        Exports.Select(export => KeyValuePair.Create(export.Name, KindName(export.Kind)));

    /// <summary>What it wants from others: module, name and kind.</summary>
    public IEnumerable<(string Module, string Name, string Kind)> ImportNames =>
        Imports.Select(import => (import.Module, import.Name, KindName(import.Kind)));

    internal ModuleLimits Limits { get; }

    internal FunctionType[] Types { get; set; } = [];

    internal ModuleImport[] Imports { get; set; } = [];

    /// <summary>Type indices of all functions, imported ones first.</summary>
    internal int[] FunctionTypes { get; set; } = [];

    internal TableType[] Tables { get; set; } = [];

    internal LimitsType[] Memories { get; set; } = [];

    /// <summary>Types of all globals, imported ones first.</summary>
    internal GlobalType[] GlobalTypes { get; set; } = [];

    /// <summary>The globals that it defines.</summary>
    internal ModuleGlobal[] Globals { get; set; } = [];

    internal ModuleExport[] Exports { get; set; } = [];

    internal int StartFunction { get; set; } = -1;

    internal int StartOffset { get; set; }

    internal ElementSegment[] Elements { get; set; } = [];

    internal DataSegment[] Data { get; set; } = [];

    internal uint? DataCount { get; set; }

    internal BodyRange[] Bodies { get; set; } = [];

    internal List<(string Name, int From, int Length)> CustomSections { get; } = [];

    internal int ImportedFunctions { get; set; }

    internal int ImportedTables { get; set; }

    internal int ImportedMemories { get; set; }

    internal int ImportedGlobals { get; set; }

    /// <summary>Functions that ref.func may name: those outside code, in exports, elements and globals (section 3.4.10).</summary>
    internal bool[] Referable { get; set; } = [];

    public FunctionType? TypeOfExport(string name) =>
        Exports.FirstOrDefault(export => export.Name == name && export.Kind == ExternKind.Function) is { } found
            ? FunctionTypeOf(found.Index) : null;

    internal FunctionType FunctionTypeOf(int function) => Types[FunctionTypes[function]];

    /// <summary>From the name section, else from an export, else null.</summary>
    internal string? NameOf(int function) =>
        _names.Value.Functions.TryGetValue(function, out var name) ? name
            : Exports.FirstOrDefault(export => export.Kind == ExternKind.Function && export.Index == function) is { } export
                ? NameSection.Shown(export.Name) : null;

    /// <summary>The validated form of a function that the module defines. Made anew at each call.</summary>
    internal FunctionCode CodeOf(int function)
    {
        var recorder = new CodeRecorder();
        new FunctionValidator(this).Validate(function, recorder);
        return recorder.Finish(function, FunctionTypeOf(function));
    }

    internal static string KindName(ExternKind kind) => kind switch
    {
        ExternKind.Function => "function",
        ExternKind.Table => "table",
        ExternKind.Memory => "memory",
        _ => "global",
    };
}
