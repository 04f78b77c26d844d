using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.OpenApi;

namespace MeshLedger.Blobs.Http;

/// <summary>Completes the OpenAPI document by what handlers read and write themselves: headers, numbers, bytes, and the
/// refusals that any request may meet. The document is kept as <c>schemas/http/blobs-v1.openapi.json</c>.</summary>
internal static class BlobOpenApi
{
    private const string Hash = "^[0-9a-f]{64}$";
    private const string Octets = "application/octet-stream";

    /// <summary>What the guard of the server answers to any request.</summary>
    private static readonly int[] Everywhere =
    [
        StatusCodes.Status421MisdirectedRequest, StatusCodes.Status500InternalServerError,
        StatusCodes.Status503ServiceUnavailable,
    ];

    public static Task CompleteAsync(
        OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new OpenApiInfo
        {
            Title = "MeshLedger blobs",
            Version = "v1",
            Description = "Content-addressed blobs of a node. A name is the BLAKE3 hash of the content: check it, and "
                + "nobody has to be trusted.",
        };
        document.Servers = [];
        foreach (var (name, schema) in document.Components?.Schemas ?? new Dictionary<string, IOpenApiSchema>())
        {
            Complete(name, schema);
        }

        foreach (var operation in document.Paths.Values.SelectMany(path => path.Operations!.Values))
        {
            Complete(operation, document);
        }

        return Task.CompletedTask;
    }

    private static void Complete(string name, IOpenApiSchema schema)
    {
        foreach (var (property, value) in schema.Properties ?? new Dictionary<string, IOpenApiSchema>())
        {
            var text = property == "hashes" ? value.Items : property is "hash" or "next" ? value : null;
            if (text is OpenApiSchema one)
            {
                one.Pattern = Hash;
            }

            if (property == "hashes" && value is OpenApiSchema list)
            {
                list.MaxItems = BlobStore.MaxPage;
            }
        }

        if (name == nameof(Stream) && schema is OpenApiSchema bytes)
        {
            bytes.Description = "The bytes as they are.";
        }
    }

    private static void Complete(OpenApiOperation operation, OpenApiDocument document)
    {
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
        {
            (parameter.Description, parameter.Schema) = parameter.Name switch
            {
                "hash" => ("The blob's name.", Text(Hash)),
                "after" => ("Where the page before ended: its next.", Text(Hash)),
                "limit" => ("The most blobs of a page.", Number(1, BlobStore.MaxPage, 100)),
                "offset" =>
                    ("The first byte; may be past the end, which the slice then proves.", Number(0, long.MaxValue)),
                _ => ("How many bytes; may reach past the end. 0 counts as 1.", Number(0, long.MaxValue)),
            };
            parameter.Required |= operation.OperationId == "GetSlice";
        }

        switch (operation.OperationId)
        {
            case "GetBlob" or "HeadBlob":
                Ask(operation, "Range",
                    "One range: bytes=FIRST-LAST, bytes=FIRST- or bytes=-COUNT. Any other is ignored.");
                Ask(operation, "If-Range", "With the ETag, the range is given; with anything else, the whole blob.");
                Ask(operation, "If-None-Match", "With the ETag, or *, the answer is 304.");
                foreach (var status in (string[])["200", "206", "304"])
                {
                    Answer(operation, status, "ETag", "The blob's name in quotes.");
                    Answer(operation, status, "Cache-Control", "A name's content never changes.");
                }

                foreach (var status in (string[])["200", "206"])
                {
                    Answer(operation, status, "Accept-Ranges", "bytes");
                    Answer(operation, status, "Content-Disposition",
                        "attachment, with the name that people gave the blob.");
                }

                Answer(operation, "206", "Content-Range", "Which bytes these are, and how many the blob has.");
                Answer(operation, "416", "Content-Range", "How many bytes the blob has.");
                break;
            case "PutBlob":
                Ask(operation, MessageSignature.BlobHashHeader, "The name of the content.", Hash);
                Ask(operation, "Signature-Input",
                    "blob=(\"@method\" \"@path\" \"blob-hash\");created=SECONDS;keyid=\"did:key:...\";"
                    + "alg=\"ed25519\", with created within five minutes of the node's time.", "");
                Ask(operation, "Signature", "blob=:BASE64:, of 64 bytes.", "");
                Answer(operation, "201", "Location", "Where the blob is.");
                Answer(operation, "200", "Location", "Where the blob is.");
                break;
        }

        foreach (var status in Everywhere)
        {
            var problem = new OpenApiSchemaReference(nameof(BlobProblem), document);
            var response = new OpenApiResponse
            {
                Description = ReasonPhrases.GetReasonPhrase(status),
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    ["application/problem+json"] = new() { Schema = problem },
                },
            };
            operation.Responses![status.ToString(CultureInfo.InvariantCulture)] = response;
        }

        Answer(operation, "503", "Retry-After", "Seconds.");
        if (operation.OperationId is "GetBlob" or "GetOutboard" or "GetSlice")
        {
            foreach (var status in (string[])["200", "206"])
            {
                if (operation.Responses!.GetValueOrDefault(status) is OpenApiResponse response)
                {
                    response.Content = new Dictionary<string, OpenApiMediaType>
                    {
                        [operation.OperationId == "GetBlob" ? "*/*" : Octets] = new() { Schema = Bytes() },
                    };
                }
            }
        }

        var ordered = new OpenApiResponses();
        foreach (var (status, response) in operation.Responses!.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            ordered.Add(status, response);
            if (operation.OperationId == "HeadBlob" && response is OpenApiResponse headersOnly)
            {
                headersOnly.Content = null;
            }
        }

        operation.Responses = ordered;
    }

    /// <param name="required">Null: the header may be left out.</param>
    private static void Ask(OpenApiOperation operation, string header, string description, string? required = null)
    {
        operation.Parameters ??= [];
        operation.Parameters.Add(new OpenApiParameter
        {
            Name = header,
            In = ParameterLocation.Header,
            Required = required is not null,
            Description = description,
            Schema = Text(required is "" ? null : required),
        });
    }

    private static void Answer(OpenApiOperation operation, string status, string header, string description)
    {
        var response = (OpenApiResponse)operation.Responses![status];
        response.Headers ??= new Dictionary<string, IOpenApiHeader>();
        response.Headers[header] = new OpenApiHeader { Description = description, Schema = Text(null) };
    }

    private static OpenApiSchema Text(string? pattern) => new() { Type = JsonSchemaType.String, Pattern = pattern };

    private static OpenApiSchema Bytes() => new() { Type = JsonSchemaType.String, Format = "binary" };

    private static OpenApiSchema Number(long least, long most, int? otherwise = null) => new()
    {
        Type = JsonSchemaType.Integer,
        Format = "int64",
        Minimum = least.ToString(CultureInfo.InvariantCulture),
        Maximum = most.ToString(CultureInfo.InvariantCulture),
        Default = otherwise,
    };
}
