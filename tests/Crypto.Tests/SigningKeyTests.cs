namespace MeshLedger.Crypto.Tests;

public sealed class SigningKeyTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ml-keys-").FullName;

    private string KeyFile => Path.Combine(_folder, "node.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_new_key_lies_in_a_file_that_only_its_owner_reads()
    {
        var key = SigningKey.LoadOrCreate(KeyFile);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyFile));
        Assert.Matches("^meshledger-ed25519-seed [0-9a-f]{64}\n\\z", File.ReadAllText(KeyFile));
        Assert.Equal(key.Did, SigningKey.Load(KeyFile).Did);
        Assert.Equal(key.Did, SigningKey.LoadOrCreate(KeyFile).Did);
        Assert.Equal([KeyFile], Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_key_is_what_its_seed_makes_it()
    {
        Write($"meshledger-ed25519-seed {new string('0', 62)}01\n");
        Assert.Equal("did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG", SigningKey.Load(KeyFile).Did.ToString());
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    [InlineData(UnixFileMode.UserExecute)]
    public void A_file_of_another_mode_is_refused(UnixFileMode more)
    {
        SigningKey.LoadOrCreate(KeyFile);
        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | more);
        Assert.Contains("chmod 600", Assert.Throws<FormatException>(() => SigningKey.Load(KeyFile)).Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => SigningKey.LoadOrCreate(KeyFile));
    }

    [Fact]
    public async Task Two_creators_at_once_get_one_key()
    {
        for (var round = 0; round < 20; round++)
        {
            var path = Path.Combine(_folder, $"{round}.key");
            using var start = new Barrier(8);
            var keys = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    return SigningKey.LoadOrCreate(path).Did;
                },
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            Assert.Single(keys.Distinct());
        }

        Assert.Equal(20, Directory.GetFiles(_folder).Length);
    }

    [Fact]
    public void A_key_is_never_overwritten()
    {
        var key = SigningKey.CreateNew(KeyFile);
        Assert.Throws<IOException>(() => SigningKey.CreateNew(KeyFile));
        Assert.Equal(key.Did, SigningKey.Load(KeyFile).Did);
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData("")]
    [InlineData("meshledger-ed25519-seed ")]
    [InlineData("meshledger-ed25519-seed 00")]
    [InlineData("meshledger-ed25519-seed 00000000000000000000000000000000000000000000000000000000000000zz")]
    [InlineData("meshledger-ed25519-seed AA00000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("other-ed25519-seed 0000000000000000000000000000000000000000000000000000000000000001")]
    public void What_is_no_key_is_refused_and_left_alone(string text)
    {
        Write(text);
        Assert.Throws<FormatException>(() => SigningKey.Load(KeyFile));
        Assert.Throws<FormatException>(() => SigningKey.LoadOrCreate(KeyFile));
        Assert.Equal(text, File.ReadAllText(KeyFile));
    }

    [Fact]
    public void A_seed_has_32_bytes_and_two_keys_differ()
    {
        Assert.Throws<FormatException>(() => SigningKey.FromSeed(new byte[31]));
        Assert.NotEqual(SigningKey.Generate().Did, SigningKey.Generate().Did);
    }

    private void Write(string text)
    {
        File.WriteAllText(KeyFile, text);
        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
