using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MeshLedger.Wasm.Compilation;

/// <summary>How values of WebAssembly are values of IL: references are their 64-bit handles.</summary>
internal static class IlTypes
{
    public static Type Of(ValueType type) => type switch
    {
        ValueType.I32 => typeof(int),
        ValueType.I64 or ValueType.FuncRef or ValueType.ExternRef => typeof(long),
        ValueType.F32 => typeof(float),
        ValueType.F64 => typeof(double),
        ValueType.V128 => typeof(Vector128<byte>),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    public static Type ResultOf(FunctionType type) => type.Results.Length == 0 ? typeof(void) : Of(type.Results[0]);

    /// <summary>Parameters of a compiled function: the guest's, then the instance, then the call's context.</summary>
    public static Type[] ParametersOf(FunctionType type)
    {
        var types = new Type[type.Parameters.Length + 2];
        for (var i = 0; i < type.Parameters.Length; i++)
        {
            types[i] = Of(type.Parameters[i]);
        }
        types[^2] = typeof(Instance);
        types[^1] = typeof(long);
        return types;
    }

    public static void Load(this ILGenerator il, ValueType type)
    {
        switch (type)
        {
            case ValueType.I32:
                il.Emit(OpCodes.Ldind_I4);
                break;
            case ValueType.F32:
                il.Emit(OpCodes.Ldind_R4);
                break;
            case ValueType.F64:
                il.Emit(OpCodes.Ldind_R8);
                break;
            case ValueType.V128:
                il.Emit(OpCodes.Unaligned, (byte)1);
                il.Emit(OpCodes.Ldobj, typeof(Vector128<byte>));
                break;
            default:
                il.Emit(OpCodes.Ldind_I8);
                break;
        }
    }

    public static void Store(this ILGenerator il, ValueType type)
    {
        switch (type)
        {
            case ValueType.I32:
                il.Emit(OpCodes.Stind_I4);
                break;
            case ValueType.F32:
                il.Emit(OpCodes.Stind_R4);
                break;
            case ValueType.F64:
                il.Emit(OpCodes.Stind_R8);
                break;
            case ValueType.V128:
                il.Emit(OpCodes.Unaligned, (byte)1);
                il.Emit(OpCodes.Stobj, typeof(Vector128<byte>));
                break;
            default:
                il.Emit(OpCodes.Stind_I8);
                break;
        }
    }

    /// <summary>As a whole word of memory, whose high half is zero for what is narrower.</summary>
    public static void StoreWord(this ILGenerator il, ValueType type)
    {
        if (type == ValueType.F32)
        {
            il.Emit(OpCodes.Call, typeof(BitConverter).GetMethod(nameof(BitConverter.SingleToUInt32Bits))!);
        }
        if (type is ValueType.I32 or ValueType.F32)
        {
            il.Emit(OpCodes.Conv_U8);
            il.Emit(OpCodes.Stind_I8);
        }
        else
        {
            il.Store(type);
        }
    }

    public static void Default(this ILGenerator il, ValueType type)
    {
        switch (type)
        {
            case ValueType.I32:
                il.Emit(OpCodes.Ldc_I4_0);
                break;
            case ValueType.F32:
                il.Emit(OpCodes.Ldc_R4, 0f);
                break;
            case ValueType.F64:
                il.Emit(OpCodes.Ldc_R8, 0d);
                break;
            case ValueType.V128:
                il.Emit(OpCodes.Call, typeof(Vector128<byte>).GetProperty(nameof(Vector128<byte>.Zero))!.GetMethod!);
                break;
            default:
                il.Emit(OpCodes.Ldc_I8, 0L);
                break;
        }
    }

    /// <summary>A field of <see cref="Instance"/>, <see cref="Store"/> or <see cref="Table"/> that compiled code uses.</summary>
    public static FieldInfo Field<T>(string name) =>
        typeof(T).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)
        ?? throw new MissingFieldException(typeof(T).Name, name);

    public static MethodInfo Static(Type type, string name) =>
        type.GetMethod(name, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
        ?? throw new MissingMethodException(type.Name, name);

    /// <summary>Compiles a method and gives the address of its code, which holds as long as the method is referenced.</summary>
    public static nint AddressOf(DynamicMethod method) => Descriptor(method).GetFunctionPointer();

    // The runtime gives a dynamic method's address by way of a delegate only, and a delegate costs an indirection a call.
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "GetMethodDescriptor")]
    private static extern RuntimeMethodHandle Descriptor(DynamicMethod method);
}
