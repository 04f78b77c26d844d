using MeshLedger.Domain.Ports;
using MeshLedger.Transports.Folder;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Wires the folder transport.</summary>
public static class FolderTransportServices
{
    /// <summary>Adds the folder as an <see cref="ITransport"/>; wrong options stop the host at its start.</summary>
    public static IServiceCollection AddFolderTransport(
        this IServiceCollection services, Action<FolderTransportOptions> configure)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IValidateOptions<FolderTransportOptions>, FolderTransportOptionsValidator>();
        services.AddOptions<FolderTransportOptions>().Configure(configure).ValidateOnStart();
        services.AddSingleton<ITransport, FolderTransport>();
        return services;
    }
}
