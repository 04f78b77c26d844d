using MeshLedger.Crypto;

namespace MeshLedger.Node;

/// <summary>What a node signs with: its own key, that of the submitter whose documents it takes in, and that of the
/// account which pays for mutual aid.</summary>
public sealed record NodeKeys(SigningKey Node, SigningKey Submitter, SigningKey Pool);
