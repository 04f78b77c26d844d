namespace MeshLedger.Wasm;

/// <summary>What modules may import: functions, memories, tables and globals by module and name.</summary>
public sealed class Imports
{
    private readonly Dictionary<(string Module, string Name), object> _values = [];

    public Imports Add(string module, string name, Function function) => Put(module, name, function);

    public Imports Add(string module, string name, Memory memory) => Put(module, name, memory);

    public Imports Add(string module, string name, Table table) => Put(module, name, table);

    public Imports Add(string module, string name, Global global) => Put(module, name, global);

    /// <summary>Offers all that an instance exports under a module's name.</summary>
    public Imports Add(string module, Instance instance)
    {
        foreach (var (name, value) in instance.Exports)
        {
            Put(module, name, value);
        }
        return this;
    }

    internal object? Find(string module, string name) => _values.GetValueOrDefault((module, name));

    private Imports Put(string module, string name, object value)
    {
        _values[(module, name)] = value;
        return this;
    }
}
