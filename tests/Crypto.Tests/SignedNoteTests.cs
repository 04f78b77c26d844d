using System.Text;

namespace MeshLedger.Crypto.Tests;

/// <summary>The worked example is that of C2SP signed-note.</summary>
public sealed class SignedNoteTests
{
    private const string Example = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    private const string Text = "This is an example message.\n";
    private const string Line =
        "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    private static readonly SigningKey Key = SigningKey.FromSeed([.. Enumerable.Repeat((byte)7, 32)]);
    private static readonly NoteKey Name = new("log.example/one", NoteKeyType.Signature, Key.Did);

    [Fact]
    public void The_worked_example_of_the_specification_verifies_and_is_written_as_it_was_read()
    {
        Assert.True(NoteKey.TryParse(Example, out var key));
        Assert.Equal(Example, key!.ToString());
        var note = Parse($"{Text}\n{Line}");
        Assert.True(note.TryVerify([key], out var verified));
        Assert.Equal(key, Assert.Single(verified).Key);
        Assert.Equal(Text, note.Text);
        Assert.Equal($"{Text}\n{Line}", note.ToString());
    }

    [Fact]
    public void Any_flipped_bit_of_a_note_is_refused()
    {
        var note = SignedNote.Sign("one\ntwo\n", Name, Key).ToBytes();
        for (var bit = 0; bit < note.Length * 8; bit++)
        {
            var changed = (byte[])note.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(SignedNote.TryParse(changed, out var read) && read!.TryVerify([Name], out _), $"bit {bit}");
        }
    }

    [Fact]
    public void Any_flipped_bit_of_a_key_s_text_is_refused_or_is_another_key()
    {
        var text = Encoding.ASCII.GetBytes(Name.ToString());
        for (var bit = 0; bit < text.Length * 8; bit++)
        {
            var changed = (byte[])text.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(NoteKey.TryParse(Encoding.Latin1.GetString(changed), out var key) && key == Name, $"bit {bit}");
        }
    }

    [Fact]
    public void Signatures_by_unknown_keys_are_ignored_and_many_are_read()
    {
        var note = SignedNote.Sign(Text, Name, Key);
        for (var i = 0; i < 30; i++)
        {
            var other = SigningKey.Generate();
            note = note.With(new NoteKey($"witness.example/{i}", NoteKeyType.Cosignature, other.Did), other, 1_700_000_000 + i);
        }

        var read = Parse(note.ToString());
        Assert.Equal(31, read.Signatures.Count);
        Assert.True(read.TryVerify([Name], out var verified));
        Assert.Single(verified);
    }

    [Fact]
    public void A_signature_by_a_known_key_that_does_not_hold_makes_the_note_invalid()
    {
        var other = SigningKey.Generate();
        var witness = new NoteKey("witness.example", NoteKeyType.Cosignature, other.Did);
        var good = SignedNote.Sign(Text, Name, Key);
        var elsewhere = SignedNote.Sign("Another text.\n", witness, other, 5).Signatures;
        Assert.False(good.With(elsewhere).TryVerify([Name, witness], out _));
        Assert.True(good.With(elsewhere).TryVerify([Name], out _));
    }

    [Fact]
    public void A_cosignature_says_when_and_covers_it()
    {
        var witness = new NoteKey("witness.example", NoteKeyType.Cosignature, Key.Did);
        var note = SignedNote.Sign(Text, witness, Key, 1_700_000_000);
        Assert.True(note.TryVerify([witness], out var verified));
        Assert.Equal(1_700_000_000, Assert.Single(verified).Time);

        // The same key under the other type is another key.
        Assert.False(note.TryVerify([new NoteKey("witness.example", NoteKeyType.Signature, Key.Did)], out _));
        var bytes = note.Signatures[0].Bytes.ToArray();
        bytes[7] ^= 1;
        var later = SignedNote.Sign(Text, Name, Key).With([note.Signatures[0] with { Bytes = bytes }]);
        Assert.False(later.TryVerify([witness], out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("\n\n")]
    [InlineData("text\n")]
    [InlineData("text\n\n")]
    [InlineData("text\n\n\u2014 name AAAAAAAA")]
    [InlineData("text\n\n\u2014 name AAAA\n")]
    [InlineData("text\n\n\u2014  AAAAAAAA\n")]
    [InlineData("text\n\n\u2014 na+me AAAAAAAA\n")]
    [InlineData("text\n\n\u2014 name AAAAAAAA \n")]
    [InlineData("text\n\n\u2014 name AAAAAAA=A\n")]
    [InlineData("text\n\n- name AAAAAAAA\n")]
    [InlineData("te\txt\n\n\u2014 name AAAAAAAA\n")]
    [InlineData("text\r\n\n\u2014 name AAAAAAAA\n")]
    public void What_is_no_note_is_refused(string text) =>
        Assert.False(SignedNote.TryParse(Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void Notes_that_are_too_long_or_have_too_many_signatures_are_refused()
    {
        Assert.False(SignedNote.TryParse(new byte[SignedNote.MaxBytes + 1], out _));
        var lines = string.Concat(Enumerable.Repeat(Line, SignedNote.MaxSignatures + 1));
        Assert.False(SignedNote.TryParse(Encoding.UTF8.GetBytes($"{Text}\n{lines}"), out _));
        Assert.False(SignedNote.TryParse([0xFF, (byte)'\n', (byte)'\n'], out _));
    }

    private static SignedNote Parse(string text)
    {
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(text), out var note));
        return note!;
    }
}
