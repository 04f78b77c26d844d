using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>Writes the result document of a job that has ended, from its state alone.</summary>
public static class JobResultWriter
{
    /// <summary>The name of the output that carries an operation's result data.</summary>
    public const string ResultOutput = "result";

    private static readonly JsonWriterOptions Options = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <param name="state">Of a job that has ended.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="workerId">The assigned worker's name among people, where there was one.</param>
    public static JobResult Write(JobState state, JobId jobId, string? workerId)
    {
        if (!state.Status.IsTerminal())
        {
            throw new ArgumentException($"Job {jobId} has not ended: it is {state.Status.Name()}.", nameof(state));
        }

        var output = new ArrayBufferWriter<byte>(2048);
        using (var json = new Utf8JsonWriter(output, Options))
        {
            json.WriteStartObject();
            json.WriteString("job_id", jobId.ToString());
            json.WriteString("status", state.Status.Name());
            json.WriteString(
                state.Status switch
                {
                    JobStatus.Completed => "completed_at",
                    JobStatus.Cancelled => "cancelled_at",
                    _ => "failed_at",
                },
                Timestamps.Write(state.EndedAt!.Value));
            Optional(json, "worker_id", workerId);
            var run = state.ResultRun;
            Summary(json, state, run?.Receipt);
            if (state.Status == JobStatus.Failed && state.Error is { } error)
            {
                Error(json, error);
            }
            else if (state.Status == JobStatus.Cancelled)
            {
                Error(json, new JobError(
                    "CANCELLED",
                    state.CancelReason is { Length: > 0 } why ? why : $"Its submitter {state.Submitter} cancelled it.",
                    "market",
                    Recoverable: false));
            }

            if (run?.Receipt is { } receipt)
            {
                Outputs(json, receipt);
                Data(json, receipt);
                Receipt(json, state, run, receipt);
            }

            Timings(json, state, run);
            json.WriteEndObject();
        }

        output.Write("\n"u8);
        return new JobResult(jobId, state.Status == JobStatus.Completed, output.WrittenMemory);
    }

    private static void Summary(Utf8JsonWriter json, JobState state, Receipt? receipt)
    {
        json.WriteStartObject("execution_summary");
        if (receipt is not null)
        {
            json.WriteString("started_at", Timestamps.Write(receipt.StartedAt));
            json.WritePropertyName("duration_seconds");
            json.WriteRawValue(
                (receipt.DurationUs / 1e6m).ToString("0.000000", System.Globalization.CultureInfo.InvariantCulture));
        }

        json.WriteNumber("attempt", state.Attempt);
        if (state.Submission.Terms.IdempotencyKey is not null)
        {
            using var document = JsonDocument.Parse(state.Submission.Document);
            json.WriteString(
                "idempotency_key",
                document.RootElement.GetProperty("execution").GetProperty("idempotency_key").GetString());
        }

        json.WriteEndObject();
    }

    private static void Error(Utf8JsonWriter json, JobError error)
    {
        json.WriteStartObject("error");
        json.WriteString("code", error.Code);
        json.WriteString("message", error.Message);
        json.WriteString("phase", error.Phase);
        json.WriteBoolean("recoverable", error.Recoverable);
        json.WriteBoolean("retry_recommended", error.Recoverable);
        json.WriteEndObject();
    }

    private static void Outputs(Utf8JsonWriter json, Receipt receipt)
    {
        json.WriteStartObject("outputs");
        if (receipt.Outputs.Count > 0)
        {
            json.WriteString("primary", receipt.Outputs[0].Name);
        }

        json.WriteStartArray("artifacts");
        foreach (var artifact in receipt.Outputs)
        {
            json.WriteStartObject();
            json.WriteString("name", artifact.Name);
            json.WriteNumber("size", artifact.Size);
            json.WriteString("blake3", artifact.Blake3.ToString());
            json.WriteString("sha256", artifact.Sha256.ToString());
            json.WriteBoolean("truncated", artifact.Truncated);
            Optional(json, "text", artifact.Text);
            Optional(json, "base64", artifact.Base64);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Data(Utf8JsonWriter json, Receipt receipt)
    {
        if (receipt.Outputs.FirstOrDefault(output => output.Name == ResultOutput)?.Text is not { } text)
        {
            return;
        }

        // A worker wrote it: what is no JSON, too deep, or cannot be written again is told as text.
        if (Parse(text) is { } document)
        {
            using (document)
            {
                json.WritePropertyName("data");
                document.RootElement.WriteTo(json);
            }
        }
        else
        {
            json.WriteString("data", text);
        }
    }

    private static JsonDocument? Parse(string text)
    {
        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(text);
            using var trial = new Utf8JsonWriter(Stream.Null);
            document.RootElement.WriteTo(trial);
            return document;
        }
        catch (JsonException)
        {
            return null;
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate, by escape: it parses and cannot be written.
            document?.Dispose();
            return null;
        }
    }

    private static void Receipt(Utf8JsonWriter json, JobState state, Run run, Receipt receipt)
    {
        json.WriteStartObject("receipt");
        json.WriteString("digest", run.ReceiptDigest.ToString());
        json.WriteString("worker", run.Worker.ToString());
        json.WriteNumber("price", state.Paid);
        json.WriteString("engine", $"{receipt.Engine.Name} {receipt.Engine.Version}");
        Optional(json, "kernel_sha256", receipt.KernelSha256?.ToString());
        Optional(json, "program", receipt.Program?.ToString());
        if (receipt.ExitCode is { } code)
        {
            json.WriteNumber("exit_code", code);
        }

        if (receipt.PeakMemoryBytes is { } peak)
        {
            json.WriteNumber("peak_memory_bytes", peak);
        }

        if (receipt.Guest is { } guest)
        {
            Guest(json, guest);
        }

        json.WriteEndObject();
    }

    private static void Guest(Utf8JsonWriter json, GuestAccount guest)
    {
        json.WriteStartObject("guest");
        json.WriteNumber("fuel", guest.Fuel);
        json.WriteNumber("fuel_table", guest.FuelTable);
        json.WriteString("tier", guest.Tier);
        Optional(json, "result", guest.Result);
        Optional(json, "state_digest", guest.StateDigest?.ToString());
        json.WriteNumber("checkpoints", guest.Checkpoints);
        if (guest.ResumedFrom is { } from)
        {
            json.WriteStartObject("resumed_from");
            json.WriteNumber("attempt", from.Attempt);
            json.WriteNumber("sequence", from.Sequence);
            json.WriteString("worker", from.Worker.ToString());
            json.WriteString("state", from.State.ToString());
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void Timings(Utf8JsonWriter json, JobState state, Run? run)
    {
        json.WriteStartObject("timings");
        Time(json, "submitted_at", state.SubmittedAt);
        Time(json, "assigned_at", state.AssignedAt);
        Time(json, "started_at", run?.Receipt?.StartedAt ?? run?.StartedAt);
        Time(json, "finished_at", run?.Receipt?.FinishedAt);
        Time(json, "settled_at", state.EndedAt);
        json.WriteEndObject();
    }

    private static void Time(Utf8JsonWriter json, string name, DateTimeOffset? time) =>
        Optional(json, name, time is { } value ? Timestamps.Write(value) : null);

    private static void Optional(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }
}
