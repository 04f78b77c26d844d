using System.Collections.Concurrent;
using System.Text;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

/// <summary>The modules of examples/guests/wasi, and one run of them as a test sees it.</summary>
internal static class Guests
{
    private static readonly ConcurrentDictionary<string, Module> Modules = new();

    public static Module Load(string name) => Modules.GetOrAdd(
        name, static name => Module.Decode(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "guests", $"{name}.wasm"))));

    public static Run Run(string name, GuestOptions options)
    {
        using var program = GuestProgram.Start(Load(name), options);
        var state = program.Run();
        return End(program, state);
    }

    public static Run End(GuestProgram program, GuestState state)
    {
        using var memory = new MemoryStream();
        program.WriteState(memory);
        return new Run(
            state, program.ExitCode, program.Result, program.Trap?.Kind, program.FuelUsed,
            Encoding.UTF8.GetString(program.StandardOutput.Span), Encoding.UTF8.GetString(program.StandardError.Span),
            string.Join('\n', program.Outputs.Select(output => $"{output.Path}: {Encoding.UTF8.GetString(output.Content.Span)}")),
            Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(memory.ToArray())));
    }
}

/// <summary>All of a run that must be the same everywhere.</summary>
internal sealed record Run(
    GuestState State, int? ExitCode, long? Result, TrapKind? Trap, long Fuel, string Output, string Error, string Outputs, string Digest);
