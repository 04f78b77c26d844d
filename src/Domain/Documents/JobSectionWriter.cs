using System.Buffers;
using System.Text;
using System.Text.Json;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// Writes one object of a document, if it has any member to hold: it is opened by its first one. A text that is no
/// Unicode cannot be written as it is; it becomes a fault, so that it is not changed in silence.
/// </summary>
internal sealed class JobSectionWriter
{
    private readonly Utf8JsonWriter _writer;
    private readonly List<DocumentFault> _faults;
    private readonly JobSectionWriter? _owner;
    private readonly string _pointer;
    private readonly string _name;
    private bool _isOpen;

    public JobSectionWriter(Utf8JsonWriter writer, List<DocumentFault> faults)
    {
        _writer = writer;
        _faults = faults;
        _pointer = "";
        _name = "";
    }

    private JobSectionWriter(JobSectionWriter owner, string name)
    {
        _writer = owner._writer;
        _faults = owner._faults;
        _owner = owner;
        _pointer = owner._pointer + JsonText.Token(name);
        _name = name;
    }

    public JobSectionWriter Section(string name) => new(this, name);

    public void Open()
    {
        if (_isOpen)
        {
            return;
        }

        _isOpen = true;
        if (_owner is not null)
        {
            _owner.Open();
            _writer.WritePropertyName(_name);
        }

        _writer.WriteStartObject();
    }

    public void Close()
    {
        if (_isOpen)
        {
            _writer.WriteEndObject();
        }
    }

    public void Text(string name, string? value)
    {
        if (value is not null)
        {
            Name(name);
            _writer.WriteStringValue(Unicode(value, _pointer + JsonText.Token(name)));
        }
    }

    public void Number(string name, long? value, long? byDefault = null)
    {
        if (value is { } number && number != byDefault)
        {
            Name(name);
            _writer.WriteNumberValue(number);
        }
    }

    public void Flag(string name, bool value, bool byDefault)
    {
        if (value != byDefault)
        {
            Name(name);
            _writer.WriteBooleanValue(value);
        }
    }

    public void List(string name, IReadOnlyList<string> items, bool evenIfEmpty = false)
    {
        if (items.Count == 0 && !evenIfEmpty)
        {
            return;
        }

        Name(name);
        _writer.WriteStartArray();
        for (var i = 0; i < items.Count; i++)
        {
            _writer.WriteStringValue(Unicode(items[i], $"{_pointer}{JsonText.Token(name)}/{i}"));
        }

        _writer.WriteEndArray();
    }

    public void Map(string name, IReadOnlyDictionary<string, string> entries)
    {
        var map = Section(name);
        foreach (var (entry, value) in entries)
        {
            map.Text(entry, value);
        }

        map.Close();
    }

    /// <summary>Writes the JSON as it stands: the reader judges it, down to its escapes.</summary>
    public void Json(string name, JsonElement? value)
    {
        if (value is { } json)
        {
            Name(name);
            _writer.WriteRawValue(json.GetRawText(), skipInputValidation: true);
        }
    }

    private void Name(string name)
    {
        Open();
        _writer.WritePropertyName(Unicode(name, _pointer + JsonText.Token(name)));
    }

    private string Unicode(string text, string pointer)
    {
        if (IsUnicode(text))
        {
            return text;
        }

        // The replacement keeps what follows readable; the fault keeps it from being used.
        _faults.Add(new DocumentFault(pointer, "a text without lone surrogates", "half of a surrogate pair"));
        return "\uFFFD";
    }

    private static bool IsUnicode(ReadOnlySpan<char> text)
    {
        while (Rune.DecodeFromUtf16(text, out _, out var length) == OperationStatus.Done)
        {
            text = text[length..];
        }

        return text.IsEmpty;
    }
}
