using System.Reflection;
using System.Runtime.CompilerServices;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Tests.Events;

/// <summary>An event of any kind with random members, made from its shape, so that a new kind or member needs nothing
/// here.</summary>
internal sealed class RandomBody(Random random)
{
    private static readonly string[] Texts =
        ["", "a", "\"\\/", "\b\t\n\f\r\u0001\u001f\u007f", "\u00e9\u20ac\u2028", "\ud83d\ude00\ufb00", "{\"x\":[1]}", "null"];

    private readonly NullabilityInfoContext _nullability = new();

    public LedgerEvent Of(Type type) => (LedgerEvent)Make(type);

    private object Make(Type type) => type switch
    {
        _ when type == typeof(string) => string.Concat(random.GetItems(Texts, random.Next(4))),
        _ when type == typeof(bool) => random.Next(2) == 0,
        _ when type == typeof(int) => random.Next(int.MinValue, int.MaxValue),
        _ when type == typeof(long) => random.NextInt64(-CanonicalJson.MaxInteger, CanonicalJson.MaxInteger),
        _ when type == typeof(Did) => new Did(Bytes()),
        _ when type == typeof(Digest) => new Digest(Bytes()),
        _ when type == typeof(BlobHash) => new BlobHash(Bytes()),
        _ when type == typeof(JobId) => JobId.Parse($"job-{random.NextInt64(1_000_000):d8}"),
        _ when type == typeof(DateTimeOffset) =>
            new DateTimeOffset(random.NextInt64(DateTime.MaxValue.Ticks), TimeSpan.Zero).ToMicroseconds(),
        { IsGenericType: true } when type.GetGenericTypeDefinition() == typeof(ValueList<>) => List(type.GetGenericArguments()[0]),
        _ => Record(type),
    };

    private object List(Type item)
    {
        var items = Array.CreateInstance(item, random.Next(4));
        for (var i = 0; i < items.Length; i++)
        {
            items.SetValue(Make(item), i);
        }

        return typeof(ValueList).GetMethod(nameof(ValueList.From))!.MakeGenericMethod(item).Invoke(null, [items])!;
    }

    private object Record(Type type)
    {
        var made = RuntimeHelpers.GetUninitializedObject(type);
        foreach (var member in type.GetProperties(BindingFlags.Instance | BindingFlags.Public).Where(member => member.CanWrite))
        {
            var value = Nullable.GetUnderlyingType(member.PropertyType) is { } inner
                ? random.Next(3) == 0 ? null : Make(inner)
                : _nullability.Create(member).WriteState == NullabilityState.Nullable && random.Next(3) == 0
                    ? null
                    : Make(member.PropertyType);
            member.SetValue(made, value);
        }

        return made;
    }

    private byte[] Bytes()
    {
        var bytes = new byte[32];
        random.NextBytes(bytes);
        return bytes;
    }
}
