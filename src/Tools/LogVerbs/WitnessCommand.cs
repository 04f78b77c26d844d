using System.CommandLine;
using System.Net;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Tools.Cli;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace MeshLedger.Tools.LogVerbs;

/// <summary><c>meshledger witness</c>: watches logs of others, and cosigns what is consistent.</summary>
internal static class WitnessCommand
{
    private static readonly Option<IPEndPoint?> Listen = new("--listen")
    {
        Description = "The address to answer on (default: 127.0.0.1:7500). Port 0 takes a free one.",
        HelpName = "ADDRESS:PORT",
        CustomParser = result =>
        {
            if (IPEndPoint.TryParse(result.Tokens[0].Value, out var address))
            {
                return address;
            }

            result.AddError($"--listen: expected an IP address and a port, such as 127.0.0.1:7500, found '{result.Tokens[0].Value}'.");
            return null;
        },
    };

    private static readonly Option<string?> Name = new("--name")
    {
        Description = "The witness's name, a URL without its scheme (default: made from its key).",
        HelpName = "NAME",
    };

    private static readonly Option<string[]> Logs = new("--log")
    {
        Description = "The key of a log to witness, NAME+HEX+BASE64, as log head tells it, or a file that holds it, such as a log's file "
            + "key. May be given several times.",
        HelpName = "KEY",
        Required = true,
        Arity = ArgumentArity.OneOrMore,
    };

    public static Command Create() => new Verb(
        "witness",
        "Run a witness (C2SP tlog-witness): cosign the tree heads of logs, each after a proof that its log begins with the last "
        + "one cosigned. What was cosigned is kept in DATA/witness, by the log's name, the key in DATA/keys. A log that was handed over "
        + "to another key (log rotate) is cosigned again once the witness was started with the new key as --log, too; it goes on from "
        + "the head that it knows. Ctrl-C ends it.",
        "meshledger witness --name witness.example/w1 --log 'meshledger/z6Mk...+0fcef093+AR4E...' --listen 0.0.0.0:7500")
    {
        Listen, GlobalOptions.NotEmpty(Name), GlobalOptions.NotEmpty(Logs),
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var logs = new List<NoteKey>();
        foreach (var given in call.Get(Logs) ?? [])
        {
            logs.Add(await LogCommands.ReadKeyAsync("--log", given, call.Stop));
        }

        if (call.Get(Name) is { } name && !NoteKey.IsName(name))
        {
            throw new CommandFailure(ExitCodes.Usage, $"--name: expected a name without spaces and +, found '{name}'.");
        }

        call.Data.Make();
        var key = SigningKey.LoadOrCreate(call.Data.KeyFile("witness"));
        var own = new NoteKey(
            call.Get(Name) ?? $"meshledger-witness/{key.Did.ToString()["did:key:".Length..]}", NoteKeyType.Cosignature, key.Did);
        var witness = new LogWitness(own, key, call.Data.Witness, logs, TimeProvider.System);
        await using var server = await StartAsync(witness, call.Get(Listen) ?? new IPEndPoint(IPAddress.Loopback, 7500), call.Stop);
        var url = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        call.Output.Object(
            new JsonObject { ["ready"] = true, ["url"] = url, ["key"] = own.ToString() },
            () =>
            {
                call.Output.Line($"Witness at {url}, key {own}");
            });
        call.Output.Flush();
        await Task.Delay(Timeout.InfiniteTimeSpan, call.Stop)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        await server.StopAsync(CancellationToken.None);
        return ExitCodes.Ok;
    }

    private static async Task<WebApplication> StartAsync(LogWitness witness, IPEndPoint address, CancellationToken stop)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "meshledger" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = 256;
            kestrel.Limits.MaxRequestBodySize = LogWitness.MaxBytes;
            kestrel.Listen(address, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRouting();
        var application = builder.Build();
        application.UseRouting();
        application.MapPost("/add-checkpoint", (HttpContext context) => AnswerAsync(context, witness));
        try
        {
            await application.StartAsync(stop);
            return application;
        }
        catch (IOException taken)
        {
            await application.DisposeAsync();
            throw new CommandFailure(ExitCodes.Failed, $"--listen: {taken.Message} Choose another address or port.");
        }
    }

    private static async Task AnswerAsync(HttpContext context, LogWitness witness)
    {
        using var request = new MemoryStream();
        await context.Request.Body.CopyToAsync(request, context.RequestAborted);
        var answer = await witness.AddAsync(request.ToArray(), context.RequestAborted);
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        await context.Response.WriteAsync(answer.Body, context.RequestAborted);
    }
}
