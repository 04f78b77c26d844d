using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

/// <summary>Real programs, paused at random marks of fuel and gone on with, here or from a snapshot, in either tier.</summary>
public sealed class GuestPauseTests
{
    private static readonly GuestOptions Options = new()
    {
        Environment = [new("HOME", "/home/guest")],
        StandardInput = "some input\n"u8.ToArray(),
        Inputs = [new GuestInput("a", 3, () => new MemoryStream("abc"u8.ToArray()))],
    };

    public static TheoryData<string> Lines =>
    [
        "sha256 1", "matmul 30", "sieve 20000 2", "nbody 500", "mandelbrot 30", "levenshtein 100", "json 40 1",
        "quicksort 2000", "simd 2", "primes 2000", "files", "escape", "clock", "random 50", "args x", "cat", "cat /in/a",
        "ends exit 3", "ends deep", "ends recurse", "ends divide", "hello130k",
    ];

    [Theory]
    [MemberData(nameof(Lines))]
    public void A_paused_program_ends_as_one_that_was_not(string line)
    {
        var (module, options) = Program(line);
        var expected = Uninterrupted(module, options);
        var random = new Random(17);
        foreach (var tier in new[] { Tier.Compiled, Tier.Interpreter })
        {
            using var program = GuestProgram.Start(module, options with { Tier = tier });
            GuestState state;
            while ((state = program.Run(Mark(program, expected, random))) == GuestState.Paused)
            {
            }
            Assert.Equal(expected, Guests.End(program, state));
        }
    }

    [Theory]
    [MemberData(nameof(Lines))]
    public void A_program_goes_on_from_its_snapshot_in_either_tier(string line)
    {
        var (module, options) = Program(line);
        var expected = Uninterrupted(module, options);
        var random = new Random(18);
        var pauses = 0;
        for (var round = 0; round < 3; round++)
        {
            var program = GuestProgram.Start(module, options);
            try
            {
                GuestState state;
                while ((state = program.Run(Mark(program, expected, random))) == GuestState.Paused)
                {
                    pauses++;
                    using var snapshot = new MemoryStream();
                    program.WriteSnapshot(snapshot);
                    program.Dispose();
                    snapshot.Position = 0;
                    var tier = random.Next(2) == 0 ? Tier.Compiled : Tier.Interpreter;
                    program = GuestProgram.Resume(module, options with { Tier = tier }, snapshot);
                }
                Assert.Equal(expected, Guests.End(program, state));
            }
            finally
            {
                program.Dispose();
            }
        }
        Assert.True(pauses > 10 || expected.Fuel < 10_000, $"{pauses} pauses in {expected.Fuel} units of fuel");
    }

    [Fact]
    public void The_same_pause_gives_the_same_snapshot()
    {
        var (module, options) = Program("primes 3000");
        byte[] Snapshot(Tier tier)
        {
            using var program = GuestProgram.Start(module, options with { Tier = tier });
            Assert.Equal(GuestState.Paused, program.Run(400_000));
            using var snapshot = new MemoryStream();
            program.WriteSnapshot(snapshot);
            return snapshot.ToArray();
        }
        var first = Snapshot(Tier.Compiled);
        Assert.Equal(first, Snapshot(Tier.Compiled));
        Assert.Equal(first, Snapshot(Tier.Interpreter));
    }

    [Fact]
    public void A_snapshot_is_of_its_module_and_options()
    {
        var (module, options) = Program("primes 3000");
        using var program = GuestProgram.Start(module, options);
        Assert.Equal(GuestState.Paused, program.Run(400_000));
        using var written = new MemoryStream();
        program.WriteSnapshot(written);
        Assert.Throws<FormatException>(() => GuestProgram.Resume(
            module, options with { Arguments = ["guest", "4000"] }, new MemoryStream(written.ToArray())));
        Assert.Throws<FormatException>(() => GuestProgram.Resume(
            Guests.Load("sieve"), options, new MemoryStream(written.ToArray())));
        var random = new Random(3);
        for (var i = 0; i < 30; i++)
        {
            var bytes = written.ToArray();
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            Assert.Throws<FormatException>(() => GuestProgram.Resume(module, options, new MemoryStream(bytes)).Dispose());
        }
    }

    [Fact]
    public async Task A_request_from_another_thread_pauses_a_loop_without_end()
    {
        var (module, options) = Program("ends loop");
        using var program = GuestProgram.Start(module, options);
        var running = Task.Run(() => program.Run());
        program.RequestPause();
        Assert.Equal(GuestState.Paused, await running);
        Assert.Equal(GuestState.Paused, program.Run(program.FuelUsed + 1_000));
    }

    [Fact]
    public void A_guest_that_is_not_paused_cannot_be_written_down()
    {
        var (module, options) = Program("hello");
        using var program = GuestProgram.Start(module, options);
        Assert.Throws<InvalidOperationException>(() => program.WriteSnapshot(new MemoryStream()));
        program.Run();
        Assert.Throws<InvalidOperationException>(() => program.WriteSnapshot(new MemoryStream()));
    }

    private static (Module Module, GuestOptions Options) Program(string line)
    {
        var words = line.Split(' ');
        return (Guests.Load(words[0]), Options with { Arguments = ["guest", .. words[1..]] });
    }

    private static Run Uninterrupted(Module module, GuestOptions options)
    {
        using var program = GuestProgram.Start(module, options);
        return Guests.End(program, program.Run());
    }

    /// <summary>About 20 pauses a run, some of them very close to each other.</summary>
    private static long Mark(GuestProgram program, Run whole, Random random) =>
        program.FuelUsed + (random.Next(4) == 0 ? random.Next(50) : random.NextInt64(1 + (whole.Fuel / 10)));
}
