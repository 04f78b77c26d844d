namespace MeshLedger.Wasm.Binary;

/// <summary>The functions' names of the custom section "name" (appendix 7.4). What is damaged in it is left out, never an error.</summary>
internal sealed class NameSection
{
    private const int FunctionNames = 1;
    private const int LongestName = 256;

    public Dictionary<int, string> Functions { get; } = [];

    public static NameSection Read(Module module)
    {
        var names = new NameSection();
        foreach (var (name, from, length) in module.CustomSections)
        {
            if (name == "name")
            {
                try
                {
                    names.Read(new ByteReader(module.Bytes.Span, from, from + length), module.FunctionTypes.Length);
                }
                catch (MalformedModuleException)
                {
                    // A debugger's section does not decide whether a module runs (section 7.4).
                }
            }
        }
        return names;
    }

    private void Read(ByteReader reader, int functions)
    {
        while (!reader.AtEnd)
        {
            var id = reader.Byte();
            var size = reader.U32();
            var end = reader.Position + (long)size;
            if (id != FunctionNames)
            {
                reader.Bytes(size);
                continue;
            }
            for (var count = reader.U32(); count > 0 && reader.Position < end; count--)
            {
                var index = reader.U32();
                var name = reader.Name();
                if (index < (uint)functions)
                {
                    Functions[(int)index] = Shown(name);
                }
            }
            return;
        }
    }

    // Names come from strangers and end up in logs.
    public static string Shown(string name) =>
        string.Concat((name.Length <= LongestName ? name : name[..LongestName]).Select(c => char.IsControl(c) ? '?' : c));
}
