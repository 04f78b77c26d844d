using System.Diagnostics.CodeAnalysis;

namespace MeshLedger.Domain;

/// <summary>
/// A semantic version as semver.org 2.0.0 defines it, such as <c>1.4.0-rc.2+build.7</c>, of at most 256 characters.
/// Order and equality are those of precedence (section 11): build metadata counts for neither, so <c>1.0.0+a</c> equals
/// <c>1.0.0+b</c>. The numbers have no upper limit. The default value is no version.
/// </summary>
public readonly struct SemanticVersion : IEquatable<SemanticVersion>, IComparable<SemanticVersion>
{
    public const int MaxLength = 256;

    private readonly string? _text;

    private SemanticVersion(string text)
    {
        _text = text;
    }

    /// <summary>What a version may be, for error messages.</summary>
    public static string Expected => "a semantic version such as 1.4.0 or 1.4.0-rc.2 (semver.org 2.0.0)";

    /// <summary>True for the default value, which is no version.</summary>
    public bool IsDefault => _text is null;

    public static bool TryParse([NotNullWhen(true)] string? text, out SemanticVersion version)
    {
        var valid = text is { Length: <= MaxLength } && IsVersion(text);
        version = valid ? new SemanticVersion(text!) : default;
        return valid;
    }

    /// <exception cref="FormatException">The text is no semantic version.</exception>
    public static SemanticVersion Parse(string? text) => TryParse(text, out var version)
        ? version
        : throw new FormatException($"'{text}' is no version: expected {Expected}.");

    /// <summary>Precedence. The default value comes before every version.</summary>
    public int CompareTo(SemanticVersion other)
    {
        if (_text is null || other._text is null)
        {
            return (_text is null ? 0 : 1) - (other._text is null ? 0 : 1);
        }

        Split(_text, out var core, out var prerelease, out _);
        Split(other._text, out var otherCore, out var otherPrerelease, out _);
        var order = CompareParts(core, otherCore);
        if (order != 0)
        {
            return order;
        }

        // A release comes after all of its pre-releases.
        return prerelease.IsEmpty || otherPrerelease.IsEmpty
            ? (prerelease.IsEmpty ? 1 : 0) - (otherPrerelease.IsEmpty ? 1 : 0)
            : CompareParts(prerelease, otherPrerelease);
    }

    public bool Equals(SemanticVersion other) => CompareTo(other) == 0;

    public override bool Equals(object? obj) => obj is SemanticVersion other && Equals(other);

    public override int GetHashCode()
    {
        var build = _text?.IndexOf('+', StringComparison.Ordinal) ?? -1;
        return string.GetHashCode(build < 0 ? _text : _text.AsSpan(0, build));
    }

    /// <summary>The text that was parsed, with its build metadata.</summary>
    public override string ToString() => _text ?? "(no version)";

    public static bool operator ==(SemanticVersion left, SemanticVersion right) => left.Equals(right);

    public static bool operator !=(SemanticVersion left, SemanticVersion right) => !left.Equals(right);

    public static bool operator <(SemanticVersion left, SemanticVersion right) => left.CompareTo(right) < 0;

    public static bool operator <=(SemanticVersion left, SemanticVersion right) => left.CompareTo(right) <= 0;

    public static bool operator >(SemanticVersion left, SemanticVersion right) => left.CompareTo(right) > 0;

    public static bool operator >=(SemanticVersion left, SemanticVersion right) => left.CompareTo(right) >= 0;

    private static bool IsVersion(string text)
    {
        Split(text, out var core, out var prerelease, out var build);
        var numbers = 0;
        foreach (var range in core.Split('.'))
        {
            numbers++;
            if (!IsNumber(core[range]))
            {
                return false;
            }
        }

        return numbers == 3
            && (text.Length == core.Length || text[core.Length] == '+' || AreIdentifiers(prerelease, zeroPadded: false))
            && (!text.Contains('+', StringComparison.Ordinal) || AreIdentifiers(build, zeroPadded: true));
    }

    /// <summary>Cuts at the first '+', and what is before that at the first '-'.</summary>
    private static void Split(
        ReadOnlySpan<char> text,
        out ReadOnlySpan<char> core,
        out ReadOnlySpan<char> prerelease,
        out ReadOnlySpan<char> build)
    {
        var plus = text.IndexOf('+');
        build = plus < 0 ? default : text[(plus + 1)..];
        var precedence = plus < 0 ? text : text[..plus];
        var dash = precedence.IndexOf('-');
        prerelease = dash < 0 ? default : precedence[(dash + 1)..];
        core = dash < 0 ? precedence : precedence[..dash];
    }

    private static bool AreIdentifiers(ReadOnlySpan<char> text, bool zeroPadded)
    {
        foreach (var range in text.Split('.'))
        {
            var part = text[range];
            if (part.IsEmpty || (!zeroPadded && IsDigits(part) && !IsNumber(part)))
            {
                return false;
            }

            foreach (var character in part)
            {
                if (!char.IsAsciiLetterOrDigit(character) && character != '-')
                {
                    return false;
                }
            }
        }

        return true;
    }

    private static bool IsNumber(ReadOnlySpan<char> part) => IsDigits(part) && (part.Length == 1 || part[0] != '0');

    private static bool IsDigits(ReadOnlySpan<char> part) =>
        !part.IsEmpty && !part.ContainsAnyExceptInRange('0', '9');

    private static int CompareParts(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        var leftParts = left.Split('.');
        var rightParts = right.Split('.');
        while (true)
        {
            var leftHas = leftParts.MoveNext();
            var rightHas = rightParts.MoveNext();
            if (!leftHas || !rightHas)
            {
                return (leftHas ? 1 : 0) - (rightHas ? 1 : 0);
            }

            var order = ComparePart(left[leftParts.Current], right[rightParts.Current]);
            if (order != 0)
            {
                return order;
            }
        }
    }

    /// <summary>Numbers by value, and before words; words by ASCII. Without leading zeros, longer is greater.</summary>
    private static int ComparePart(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        var leftIsNumber = IsDigits(left);
        if (leftIsNumber != IsDigits(right))
        {
            return leftIsNumber ? -1 : 1;
        }

        return leftIsNumber && left.Length != right.Length
            ? left.Length.CompareTo(right.Length)
            : left.SequenceCompareTo(right);
    }
}
