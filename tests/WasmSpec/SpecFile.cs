using System.Globalization;
using System.Text.Json;

namespace MeshLedger.Wasm.Spec;

/// <summary>What became of one file of the suite.</summary>
public sealed record SpecResult(string Name, int Passed, int Skipped, IReadOnlyList<string> Failures)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Name}: {Passed} passed, {Failures.Count} failed, {Skipped} skipped");
}

/// <summary>Runs the commands of one file that <c>wast2json</c> made of the official test suite.</summary>
public sealed class SpecFile : IDisposable
{
    private readonly string _directory;
    private readonly JsonDocument _document;
    private readonly Store _store;
    private readonly Imports _imports = new();
    private readonly Dictionary<string, Instance> _named = [];
    private readonly List<string> _failures = [];
    private Instance? _current;
    private int _passed;
    private int _skipped;

    private SpecFile(string path, Tier tier)
    {
        _directory = Path.GetDirectoryName(path)!;
        _document = JsonDocument.Parse(File.ReadAllBytes(path));
        _store = new Store(new RunLimits { MemoryPages = 65_536 }, tier);
        Host();
    }

    public static SpecResult Run(string path, Tier tier)
    {
        using var file = new SpecFile(path, tier);
        foreach (var command in file._document.RootElement.GetProperty("commands").EnumerateArray())
        {
            file.Execute(command);
        }
        return new SpecResult(Path.GetFileName(path), file._passed, file._skipped, file._failures);
    }

    public void Dispose()
    {
        _store.Dispose();
        _document.Dispose();
    }

    // The module "spectest" that the suite's modules import.
    private void Host()
    {
        (string Name, ValueType[] Parameters)[] prints =
        [
            ("print", []), ("print_i32", [ValueType.I32]), ("print_i64", [ValueType.I64]), ("print_f32", [ValueType.F32]),
            ("print_f64", [ValueType.F64]), ("print_i32_f32", [ValueType.I32, ValueType.F32]), ("print_f64_f64", [ValueType.F64, ValueType.F64]),
        ];
        foreach (var (name, parameters) in prints)
        {
            _imports.Add("spectest", name, Function.FromHost(new FunctionType([.. parameters], []), (_, _) => { }));
        }
        _imports.Add("spectest", "global_i32", new Global(false, Value.I32(666)));
        _imports.Add("spectest", "global_i64", new Global(false, Value.I64(666)));
        _imports.Add("spectest", "global_f32", new Global(false, Value.F32(666.6f)));
        _imports.Add("spectest", "global_f64", new Global(false, Value.F64(666.6)));
        _imports.Add("spectest", "table", new Table(ValueType.FuncRef, 10, 20));
        _imports.Add("spectest", "memory", new Memory(1, 2));
    }

    private void Execute(JsonElement command)
    {
        var type = command.GetProperty("type").GetString()!;
        if (type is "assert_malformed" or "assert_invalid" && command.GetProperty("module_type").GetString() == "text")
        {
            _skipped++;
            return;
        }
        string? failure;
        try
        {
            failure = Outcome(type, command);
        }
        catch (Exception e) when (e is TrapException or FormatException or LinkException or ArgumentException or InvalidProgramException
            or NullReferenceException or IndexOutOfRangeException or InvalidOperationException or KeyNotFoundException or NotSupportedException)
        {
            failure = $"{e.GetType().Name}: {e.Message}";
        }
        if (failure is null)
        {
            _passed++;
        }
        else
        {
            _failures.Add($"line {command.GetProperty("line").GetInt32()}: {type}: {failure}");
        }
    }

    private string? Outcome(string type, JsonElement command)
    {
        switch (type)
        {
            case "module":
                // A module that fails must not leave the next commands to the one before it.
                _current = null;
                _current = Instantiate(command);
                if (command.TryGetProperty("name", out var name))
                {
                    _named[name.GetString()!] = _current;
                }
                return null;
            case "register":
                _imports.Add(command.GetProperty("as").GetString()!, Of(command));
                return null;
            case "action":
                Act(command.GetProperty("action"));
                return null;
            case "assert_return":
                return Compare(Act(command.GetProperty("action")), command.GetProperty("expected"));
            case "assert_trap" or "assert_exhaustion":
                return Expect<TrapException>(command, () => Act(command.GetProperty("action")), trap => trap.Message);
            case "assert_malformed":
                return Expect<MalformedModuleException>(command, () => Decode(command), e => e.Reason);
            case "assert_invalid":
                return Expect<InvalidModuleException>(command, () => Decode(command), e => e.Reason);
            case "assert_unlinkable":
                return Expect<LinkException>(command, () => Instantiate(command), e => e.Reason);
            case "assert_uninstantiable":
                return Expect<TrapException>(command, () => Instantiate(command), trap => trap.Message);
            default:
                return "unknown command";
        }
    }

    private static string? Expect<T>(JsonElement command, Action action, Func<T, string> reason)
        where T : Exception
    {
        var expected = command.GetProperty("text").GetString()!;
        try
        {
            action();
            return $"nothing happened where '{expected}' was expected";
        }
        catch (T e)
        {
            return reason(e).StartsWith(expected, StringComparison.Ordinal) ? null : $"'{expected}' expected, '{e.Message}' found";
        }
    }

    private Module Decode(JsonElement command) =>
        Module.Decode(File.ReadAllBytes(Path.Combine(_directory, command.GetProperty("filename").GetString()!)));

    private Instance Instantiate(JsonElement command) => Instance.Instantiate(Decode(command), _imports, _store);

    private Instance Of(JsonElement element)
    {
        var key = element.TryGetProperty("module", out var module) ? module : element.TryGetProperty("name", out var name) ? name : default;
        return key.ValueKind == JsonValueKind.String
            ? _named[key.GetString()!]
            : _current ?? throw new InvalidOperationException("There is no current module.");
    }

    private Value[] Act(JsonElement action)
    {
        var instance = Of(action);
        var field = action.GetProperty("field").GetString()!;
        if (action.GetProperty("type").GetString() == "get")
        {
            return [((Global)instance.Exports[field]).Value];
        }
        var arguments = action.GetProperty("args").EnumerateArray().Select(SpecValues.Argument).ToArray();
        return instance.Invoke(field, arguments);
    }

    private static string? Compare(Value[] actual, JsonElement expected)
    {
        var count = expected.GetArrayLength();
        if (actual.Length != count)
        {
            return $"{count} results expected, {actual.Length} found";
        }
        for (var i = 0; i < count; i++)
        {
            if (!SpecValues.Matches(expected[i], actual[i]))
            {
                return $"result {i}: {expected[i].GetRawText()} expected, {actual[i]} found";
            }
        }
        return null;
    }
}
