using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace MeshLedger.Ledger.Postgres;

/// <summary>How a program ended. <paramref name="LastLine"/> is the last line that it wrote.</summary>
internal sealed record ProgramResult(int ExitCode, string LastLine);

/// <summary>
/// PostgreSQL's own programs on this machine, found in <c>MESHLEDGER_PG_BIN</c>, <c>PATH</c>, or
/// <c>/usr/lib/postgresql/*/bin</c> (the newest). As root they run as the user <c>postgres</c>, or else <c>nobody</c>,
/// for PostgreSQL refuses to run as root.
/// </summary>
internal sealed partial class PostgresPrograms
{
    private readonly string _bin;
    private readonly (uint Uid, uint Gid)? _user;

    private PostgresPrograms(string bin, (uint Uid, uint Gid)? user)
    {
        _bin = bin;
        _user = user;
    }

    /// <exception cref="InvalidOperationException">They are not on this machine; names the install command.</exception>
    public static PostgresPrograms Find()
    {
        var bin = Candidates().FirstOrDefault(directory =>
            File.Exists(Path.Combine(directory, "initdb")) && File.Exists(Path.Combine(directory, "pg_ctl")));
        if (bin is null)
        {
            throw new InvalidOperationException(
                "PostgreSQL's programs (initdb, pg_ctl) are not on this machine. Install them: "
                + "apt-get install postgresql. Or name their directory in MESHLEDGER_PG_BIN, or use --postgres.");
        }

        return new PostgresPrograms(bin, geteuid() == 0 ? UnprivilegedUser() : null);
    }

    /// <summary>Makes a directory that the database's user owns and nobody else enters.</summary>
    public void MakeDirectory(string path)
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (_user is { } user && chown(path, user.Uid, user.Gid) != 0)
        {
            throw new InvalidOperationException(
                $"Cannot give {path} to the database's user: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    /// <exception cref="InvalidOperationException">The database's user cannot get to the directory.</exception>
    public void CheckReachable(string directory)
    {
        if (_user is null)
        {
            return;
        }

        for (var part = new DirectoryInfo(directory); part is not null; part = part.Parent)
        {
            if (part.Exists && (part.UnixFileMode & UnixFileMode.OtherExecute) == 0 && !Owns(part.FullName))
            {
                throw new InvalidOperationException(
                    $"As root, the private PostgreSQL runs as an unprivileged user, and that user cannot enter "
                    + $"{part.FullName}. Choose a data directory elsewhere (such as /var/lib/meshledger), "
                    + $"or run: chmod o+x {part.FullName}");
            }
        }
    }

    public async Task<ProgramResult> RunAsync(
        string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = "/",
        };
        var path = Path.Combine(_bin, program);
        if (_user is { } user)
        {
            start.FileName = "setpriv";
            start.ArgumentList.Add("--reuid=" + user.Uid.ToString(CultureInfo.InvariantCulture));
            start.ArgumentList.Add("--regid=" + user.Gid.ToString(CultureInfo.InvariantCulture));
            start.ArgumentList.Add("--clear-groups");
            start.ArgumentList.Add("--");
            start.ArgumentList.Add(path);
        }
        else
        {
            start.FileName = path;
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Remove("PGDATA");
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var last = "";
        void Keep(object sender, DataReceivedEventArgs line)
        {
            if (!string.IsNullOrWhiteSpace(line.Data))
            {
                last = line.Data.Trim();
            }
        }

        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        // pg_ctl leaves the server behind holding these pipes, so their end is not waited for.
        while (!process.WaitForExit(0))
        {
            await Task.Delay(10, cancellationToken);
        }

        return new ProgramResult(process.ExitCode, last);
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable("MESHLEDGER_PG_BIN") is { Length: > 0 } named)
        {
            return [named];
        }

        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        const string Debian = "/usr/lib/postgresql";
        var versions = Directory.Exists(Debian)
            ? Directory.GetDirectories(Debian)
                .OrderByDescending(directory => double.TryParse(
                    Path.GetFileName(directory), CultureInfo.InvariantCulture, out var version) ? version : 0)
                .Select(directory => Path.Combine(directory, "bin"))
            : [];
        return path.Concat(versions);
    }

    private static (uint Uid, uint Gid) UnprivilegedUser()
    {
        foreach (var wanted in (ReadOnlySpan<string>)["postgres", "nobody"])
        {
            foreach (var line in File.ReadLines("/etc/passwd"))
            {
                var fields = line.Split(':');
                if (fields.Length > 3 && fields[0] == wanted
                    && uint.TryParse(fields[2], CultureInfo.InvariantCulture, out var uid)
                    && uint.TryParse(fields[3], CultureInfo.InvariantCulture, out var gid))
                {
                    return (uid, gid);
                }
            }
        }

        throw new InvalidOperationException(
            "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as: add one, "
            + "or start the node as another user.");
    }

    private bool Owns(string path)
    {
        // Only reached as root; a directory that the database's user owns it may enter.
        using var process = Process.Start(new ProcessStartInfo("stat", ["-c", "%u", path]) { RedirectStandardOutput = true })!;
        var owner = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return owner == _user!.Value.Uid.ToString(CultureInfo.InvariantCulture);
    }

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chown(string path, uint owner, uint group);
}
