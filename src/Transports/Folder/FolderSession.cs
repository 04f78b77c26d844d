using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using MeshLedger.Domain.Ports;
using MeshLedger.Transports.Folder.Posix;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Transports.Folder;

/// <summary>
/// The folder from its opening until the transport stops or the folder turns out to be another than the one that was
/// opened. One thread finds and claims files; each claimed file is then a task (<see cref="ClaimedJob"/>) until its
/// answer is written. A session begins by taking up what its node's directory holds, so that the end of a session, of
/// the process, or of the machine are the same thing.
/// </summary>
internal sealed class FolderSession : IDisposable
{
    private readonly FolderTransportOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly FailureLog _failures;
    private readonly FolderPlaces _places;
    private readonly SignOfLife _sign;
    private readonly FolderWaiter _waiter;
    private readonly AnswerWriters _writers;
    private readonly ClaimedJob _job;
    private readonly CancellationTokenSource _ending;

    // What stands in the node's directory under which name: added by the folder's thread before the rename, removed when
    // the answer is written. A name is not used for a second file before that, so an answer cannot move the wrong file.
    private readonly ConcurrentDictionary<EntryName, bool> _claims = new();

    // Not disposed: they hold nothing, and the last task may still be inside of Release.
    private readonly SemaphoreSlim _outstanding;
    private readonly SemaphoreSlim _submits;
    private Exception? _fatal;

    // Written by the heartbeat, read by the folder's thread; a value that lies behind only makes it more careful.
    private long _serverNow;
    private int _due = 1;

    private FolderSession(
        FolderPlaces places, FolderTransportOptions options, IJobIntake intake, string transport, TimeProvider time,
        ILogger logger, CancellationToken stopping)
    {
        _places = places;
        _options = options;
        _time = time;
        _logger = logger;
        _failures = new FailureLog(time, logger);
        _sign = SignOfLife.Take(places.Own);
        try
        {
            _serverNow = _sign.Beat();
            _waiter = new FolderWaiter(places.Inbox, options.UseInotify);
        }
        catch
        {
            _sign.Dispose();
            throw;
        }

        _outstanding = new SemaphoreSlim(options.MaxOutstanding);
        _submits = new SemaphoreSlim(options.MaxConcurrency);
        _writers = new AnswerWriters(places, time, logger);
        _job = new ClaimedJob(places, _writers, intake, transport, _submits, _failures, time, logger);
        _ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
    }

    /// <exception cref="IOException">The folder cannot be opened, or another process runs under this node id.</exception>
    public static FolderSession Open(
        FolderTransportOptions options, IJobIntake intake, string transport, TimeProvider time, ILogger logger,
        CancellationToken stopping)
    {
        var places = FolderPlaces.Open(options.Directory, options.NodeId);
        try
        {
            return new FolderSession(places, options, intake, transport, time, logger, stopping);
        }
        catch
        {
            places.Dispose();
            throw;
        }
    }

    /// <summary>Returns when stopped.</summary>
    /// <exception cref="IOException">The folder has to be opened again.</exception>
    public async Task RunAsync()
    {
        Log.FolderOpened(
            _logger, _places.Path, _options.NodeId, _waiter.HasInotify ? "told by inotify and polling" : "polling");
        if (_waiter.Missing is { } reason)
        {
            Log.NoInotify(_logger, _places.Path, reason);
        }

        using var wakeToEnd = _ending.Token.Register(_waiter.Wake);
        await using var timer = _time.CreateTimer(_ => WakeToLook(), null, _options.PollInterval, _options.PollInterval);
        var heartbeat = BeatAsync();
        try
        {
            await Task.Factory.StartNew(
                Loop, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            await _ending.CancelAsync();
            await heartbeat;
            for (var left = 0; left < _options.MaxOutstanding; left++)
            {
                await _outstanding.WaitAsync(CancellationToken.None);
            }
        }

        if (_fatal is { } fatal)
        {
            ExceptionDispatchInfo.Throw(fatal);
        }
    }

    public void Dispose()
    {
        _writers.Dispose();
        _waiter.Dispose();
        _sign.Dispose();
        _places.Dispose();
        _ending.Dispose();
    }

    private void WakeToLook()
    {
        Volatile.Write(ref _due, 1);
        _waiter.Wake();
    }

    private async Task BeatAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(_options.HeartbeatInterval, _time, _ending.Token);
                try
                {
                    Volatile.Write(ref _serverNow, _sign.Beat());
                    _places.CheckStillThere();
                }
                catch (FolderIOException failure) when (failure.Error is Errno.NoEntry or Errno.Stale)
                {
                    End(failure);
                }
                catch (FolderIOException failure)
                {
                    _failures.Report("Giving a sign of life", failure);
                }
            }
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The session ends.
        }
    }

    private void Loop()
    {
        var observations = new InboxObservations(_options.GracePeriod, _time);
        var others = new OtherNodes(
            _places, EntryName.FromText(_options.NodeId), _options.TakeoverAfter, _time);
        var told = new List<EntryName>();
        var lastCare = _time.GetTimestamp();
        try
        {
            TakeUpOwn(logged: true);
            while (!_ending.IsCancellationRequested)
            {
                if (Interlocked.Exchange(ref _due, 0) == 1)
                {
                    _places.CheckStillThere();
                    Attempt("Looking through the inbox", () => LookThrough(observations));
                    if (_time.GetElapsedTime(lastCare) >= _options.HeartbeatInterval)
                    {
                        lastCare = _time.GetTimestamp();
                        Attempt("Looking after other nodes", () => LookAfter(others));
                    }
                }

                told.Clear();
                _waiter.Wait(told);
                told.ForEach(TakeTold);
                if (_waiter.Overflowed)
                {
                    Log.NoticesDropped(_logger);
                }
            }
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The session ends while it waits for room.
        }
    }

    // An empty file was perhaps only created, to be opened and written next; polling takes it when nothing follows.
    private void TakeTold(EntryName name) => Attempt("Claiming files", () =>
    {
        if (name.IsJob && _places.Inbox.Status(name) is { Kind: FileKind.Regular, Size: > 0 } status)
        {
            Take(_places.Inbox, name, status.Identity);
        }
    });

    private void LookThrough(InboxObservations observations)
    {
        foreach (var (name, status) in observations.Complete(_places.Inbox, Volatile.Read(ref _serverNow)))
        {
            Attempt("Claiming files", () => Take(_places.Inbox, name, status.Identity));
        }
    }

    private void LookAfter(OtherNodes others)
    {
        TakeUpOwn(logged: false);
        foreach (var (node, silence) in others.Silent())
        {
            using var directory = _places.Claimed.Open(node);
            var logged = false;
            foreach (var name in directory.Names().Where(name => !name.IsHidden))
            {
                if (!logged)
                {
                    logged = true;
                    Log.TakingOver(_logger, node.ToString(), silence.TotalSeconds);
                }

                if (directory.Status(name) is { } status)
                {
                    Attempt("Taking files over", () => Take(directory, name, status.Identity));
                }
            }
        }
    }

    // Also now and then while running: a rename that was reported as failed can have taken place, and on a disk that
    // fails even the look at it can fail.
    private void TakeUpOwn(bool logged)
    {
        var found = _places.Own.Names().Where(name => !name.IsHidden && _claims.TryAdd(name, true)).ToList();
        if (logged && found.Count > 0)
        {
            Log.Resuming(_logger, found.Count);
        }

        var next = 0;
        try
        {
            for (; next < found.Count; next++)
            {
                if (_places.Own.Status(found[next]) is { } status)
                {
                    WaitForRoom();
                    Start(new Claim(found[next], status.Identity));
                }
                else
                {
                    _claims.TryRemove(found[next], out _);
                }
            }
        }
        finally
        {
            foreach (var name in found[next..])
            {
                _claims.TryRemove(name, out _);
            }
        }
    }

    private void Take(FolderDirectory from, EntryName name, FileIdentity identity)
    {
        WaitForRoom();
        Claim? claim = null;
        try
        {
            claim = Rename(from, name, identity);
        }
        finally
        {
            if (claim is null)
            {
                _submits.Release();
                _outstanding.Release();
            }
        }

        if (claim is not null)
        {
            Start(claim);
        }
    }

    private Claim? Rename(FolderDirectory from, EntryName name, FileIdentity identity)
    {
        for (var target = name; ; target = name.Tagged(AnswerWriters.NewTag(_time), EntryName.MaxBytes))
        {
            if (!_claims.TryAdd(target, true))
            {
                continue;
            }

            var outcome = MoveOutcome.SourceGone;
            try
            {
                outcome = from.Move(name, _places.Own, target, identity, _places.Renaming);
            }
            finally
            {
                if (outcome != MoveOutcome.Moved)
                {
                    _claims.TryRemove(target, out _);
                }
            }

            if (outcome != MoveOutcome.TargetTaken)
            {
                return outcome == MoveOutcome.Moved ? new Claim(target, identity) : null;
            }
        }
    }

    private void WaitForRoom()
    {
        _outstanding.Wait(_ending.Token);
        try
        {
            _submits.Wait(_ending.Token);
        }
        catch (OperationCanceledException)
        {
            _outstanding.Release();
            throw;
        }
    }

    private void Start(Claim claim) => _ = Task.Run(() => AnswerAsync(claim), CancellationToken.None);

    private async Task AnswerAsync(Claim claim)
    {
        try
        {
            await _job.AnswerAsync(claim, _ending.Token);
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // Still owed: the file stands in the node's directory and is taken up by the next session.
        }
        catch (Exception failure)
        {
            // Nothing that is known to pass, such as a ledger that does not verify: thrown by RunAsync.
            End(failure);
        }
        finally
        {
            _claims.TryRemove(claim.Name, out _);
            _outstanding.Release();
        }
    }

    private void End(Exception reason)
    {
        Interlocked.CompareExchange(ref _fatal, reason, null);
        _ending.Cancel();
    }

    private void Attempt(string what, Action step)
    {
        try
        {
            step();
        }
        catch (FolderIOException failure)
        {
            _failures.Report(what, failure);
        }
    }
}
