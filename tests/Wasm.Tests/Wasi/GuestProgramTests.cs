using System.Text;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

/// <summary>
/// The programs of examples/guests/wasi. What they are expected to say is what they said under another host of preview
/// 1; they say it in either tier, with the same fuel and the same state in the end.
/// </summary>
public sealed class GuestProgramTests
{
    private static readonly GuestOptions Options = new()
    {
        Environment = [new("HOME", "/home/guest"), new("LANG", "C")],
        StandardInput = "some input\n"u8.ToArray(),
        Inputs = [new GuestInput("a", 3, () => new MemoryStream("abc"u8.ToArray()))],
        Limits = RunLimits.Default with { Fuel = 300_000_000 },
    };

    [Theory]
    [InlineData("sha256 1", "1f8647d4cd2f7594c35c413e582e01089c00929dd4239eddd5ded3d40f325d53\n")]
    [InlineData("matmul 40", "40 7350fb51f034e9b0\n")]
    [InlineData("sieve 20000 2", "2262\n")]
    [InlineData("nbody 1000", "-0.170974248\n-0.170976070\n")]
    [InlineData("mandelbrot 40", "40 276 12928434\n")]
    [InlineData("levenshtein 200", "122\n")]
    [InlineData("json 50 2", "5905 bytes, 601 nodes, 64ee092a, -1162.75\n")]
    [InlineData("quicksort 3000", "3000 11bc0c94 125837765\n")]
    [InlineData("simd 3", "9521152 ac12dbfe\n")]
    [InlineData("hello", "Hello from wasm32-wasi: 42\n")]
    [InlineData("hello130k", "Hello, world: 42, 3.142\n")]
    [InlineData("args x", "argv[0] = guest\nargv[1] = x\nHOME=/home/guest\nLANG=C\nHOME is /home/guest\n")]
    [InlineData("cat", "some input\n")]
    [InlineData("cat /in/a in/a", "abcabc")]
    [InlineData("random 20", "differ\n1de986ac168dcfb8a52b6320497a49a9cb6e9e97\n")]
    [InlineData("ends hog 100", "ending by hog\n100 MiB\n")]
    public void A_program_says_what_it_says_elsewhere(string line, string expected)
    {
        var run = RunInBothTiers(line);
        Assert.Equal((GuestState.Exited, 0, expected), (run.State, run.ExitCode, run.Output));
    }

    [Fact]
    public void Files_and_directories_behave_as_on_another_host()
    {
        var run = RunInBothTiers("files");
        Assert.Equal(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "guests", "files.txt")), run.Output);
        Assert.Equal("log.txt: done\n\nresults/summary.txt: 42\n", run.Outputs);
    }

    [Fact]
    public void No_attempt_to_escape_reaches_anything()
    {
        var run = RunInBothTiers("escape");
        Assert.Equal(0, run.ExitCode);
        Assert.DoesNotContain("REACHED", run.Output, StringComparison.Ordinal);
        Assert.EndsWith("\n0 reached\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void No_attempt_to_escape_a_real_directory_reaches_anything()
    {
        var root = Directory.CreateTempSubdirectory("wasi");
        var given = root.CreateSubdirectory("given");
        File.WriteAllText(Path.Combine(root.FullName, "secret"), "secret");
        File.CreateSymbolicLink(Path.Combine(given.FullName, "link"), "../secret");
        File.CreateSymbolicLink(Path.Combine(given.FullName, "passwd"), "/etc/passwd");
        File.CreateSymbolicLink(Path.Combine(given.FullName, "up"), "..");
        var run = Guests.Run("escape", Options with
        {
            Arguments = ["guest", "/data/link", "/data/passwd", "/data/up/secret", "/data/../secret", "/data/up/given/../secret"],
            Directories = [new GuestDirectory("/data", given.FullName, Writable: true)],
        });
        Assert.Equal(0, run.ExitCode);
        Assert.Contains("open /data/up/secret: refused\n", run.Output, StringComparison.Ordinal);
        root.Delete(recursive: true);
    }

    [Fact]
    public void Sleeping_takes_no_time_and_clocks_show_that_it_did()
    {
        var run = RunInBothTiers("clock");
        Assert.DoesNotContain("wrong", run.Output, StringComparison.Ordinal);
        Assert.Contains("poll: 1 writable\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_told_by_its_name()
    {
        var run = RunInBothTiers("cat /in/none");
        Assert.Equal((1, "/in/none: No such file or directory\n"), (run.ExitCode, run.Error));
    }

    [Theory]
    [InlineData("exit 3", 3, null)]
    [InlineData("_exit 255", 255, null)]
    [InlineData("return 4", 4, null)]
    [InlineData("abort", null, TrapKind.Unreachable)]
    [InlineData("trap", null, TrapKind.Unreachable)]
    [InlineData("divide", null, TrapKind.IntegerDivideByZero)]
    [InlineData("memory", null, TrapKind.OutOfBoundsMemoryAccess)]
    [InlineData("recurse", null, TrapKind.OutOfBoundsMemoryAccess)]
    [InlineData("deep", null, TrapKind.CallStackExhausted)]
    [InlineData("loop", null, TrapKind.OutOfFuel)]
    public void A_guest_ends_as_it_says(string how, int? code, TrapKind? trap)
    {
        var run = RunInBothTiers($"ends {how}");
        Assert.Equal((code, trap), (run.ExitCode, run.Trap));
        Assert.StartsWith("ending by ", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_trap_names_the_functions_of_the_guest()
    {
        using var program = GuestProgram.Start(Guests.Load("ends"), Options with { Arguments = ["guest", "divide"] });
        Assert.Equal(GuestState.Trapped, program.Run());
        Assert.Equal(["divide", "main", "__main_void"], program.Trap!.BackTrace.Take(3).Select(frame => frame.Name));
        Assert.Equal(GuestState.Trapped, program.Run());
    }

    [Fact]
    public void A_guest_without_wasi_gives_a_number()
    {
        using var program = GuestProgram.Start(Guests.Load("run"), Options with { Limits = RunLimits.Default });
        Assert.Equal(GuestState.Exited, program.Run());
        Assert.Equal((35_669_673, 0), (program.Result, program.ExitCode));
    }

    [Fact]
    public void A_library_is_initialised_before_it_runs()
    {
        var run = RunInBothTiers("library");
        Assert.Equal((42, "ready is 41\n"), (run.Result, run.Output));
    }

    [Fact]
    public void Memory_beyond_the_limit_is_not_there()
    {
        var run = Guests.Run("ends", Options with
        {
            Arguments = ["guest", "hog"],
            Limits = RunLimits.Default with { MemoryPages = 1_000 },
        });
        Assert.Equal("ending by hog\n62 MiB\n", run.Output);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("memory")]
    public void An_entry_that_is_no_function_is_refused(string entry) =>
        Assert.Equal("no entry", Assert.Throws<LinkException>(
            () => GuestProgram.Start(Guests.Load("run"), Options with { Entry = entry })).Reason);

    [Fact]
    public void The_seed_decides_what_is_random()
    {
        var options = Options with { Arguments = ["guest", "20"] };
        var first = Guests.Run("random", options);
        Assert.Equal(first, Guests.Run("random", options));
        Assert.NotEqual(first.Output, Guests.Run("random", options with { Seed = Enumerable.Repeat((byte)1, 32).ToArray() }).Output);
    }

    [Fact]
    public void An_input_that_is_shorter_than_was_said_stops_the_guest()
    {
        using var program = GuestProgram.Start(Guests.Load("cat"), Options with
        {
            Arguments = ["guest", "/in/a"],
            Inputs = [new GuestInput("a", 30, () => new MemoryStream(Encoding.UTF8.GetBytes("abc")))],
        });
        Assert.Equal(GuestState.Trapped, program.Run());
        Assert.Equal(TrapKind.HostError, program.Trap!.Kind);
        Assert.Contains("input a", program.Trap.Message, StringComparison.Ordinal);
    }

    private static Run RunInBothTiers(string line)
    {
        var words = line.Split(' ');
        var options = Options with { Arguments = ["guest", .. words[1..]] };
        var compiled = Guests.Run(words[0], options with { Tier = Tier.Compiled });
        var interpreted = Guests.Run(words[0], options with { Tier = Tier.Interpreter });
        Assert.Equal(compiled, interpreted);
        return compiled;
    }
}
