using MeshLedger.Crypto;

namespace MeshLedger.Node;

/// <summary>What a node signs with: its own key, and that of the submitter whose documents it takes in.</summary>
public sealed record NodeKeys(SigningKey Node, SigningKey Submitter);
