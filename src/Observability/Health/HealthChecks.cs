using System.Data.Common;

namespace MeshLedger.Observability.Health;

/// <summary>What a check found.</summary>
/// <param name="Message">What is wrong; null if nothing is.</param>
/// <param name="WhatToDo">One line for people; null if nothing is wrong.</param>
public sealed record HealthFinding(string Name, string? Message, string? WhatToDo)
{
    public bool IsFine => Message is null;
}

/// <summary>The checks that say whether a node is ready. Safe for concurrent use.</summary>
public sealed class HealthChecks(TimeProvider clock)
{
    /// <summary>A check that takes longer has failed.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly List<Check> _checks = [];

    /// <summary>Adds a check, or replaces the one of this name.</summary>
    /// <param name="name">A word in lower case.</param>
    /// <param name="whatToDo">What to do when it fails.</param>
    /// <param name="fault">Gives what is wrong; null if nothing is.</param>
    public void Set(string name, string whatToDo, Func<CancellationToken, Task<string?>> fault)
    {
        lock (_lock)
        {
            var check = new Check(name, whatToDo, fault);
            var at = _checks.FindIndex(other => other.Name == name);
            if (at < 0)
            {
                _checks.Add(check);
            }
            else
            {
                _checks[at] = check;
            }
        }
    }

    /// <summary>Runs all checks at once.</summary>
    public async Task<IReadOnlyList<HealthFinding>> RunAsync(CancellationToken cancellationToken)
    {
        Check[] checks;
        lock (_lock)
        {
            checks = [.. _checks];
        }

        return await Task.WhenAll(checks.Select(check => RunAsync(check, cancellationToken)));
    }

    private async Task<HealthFinding> RunAsync(Check check, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        string? message;
        try
        {
            message = await check.Fault(limit.Token).WaitAsync(Patience, clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            message = $"no answer within {Patience.TotalSeconds} s";
        }
        catch (Exception exception) when (exception is DbException or IOException)
        {
            message = exception.Message;
        }

        // What was not waited for is given up, too.
        await limit.CancelAsync();
        return new HealthFinding(check.Name, message, message is null ? null : check.WhatToDo);
    }

    private sealed record Check(string Name, string WhatToDo, Func<CancellationToken, Task<string?>> Fault);
}
