"""A file is one of credentials when all of it has the form of one; what explains the form is a document."""

import pytest

from embedmill.shared.left_out.names import LeftOut
from embedmill.shared.left_out.secrets_inside import reason_by_content

ID, SECRET = b"AKIA" + b"Q7ZT" * 4, b"aB3/+xY9kL" * 4
KUBE = b"""apiVersion: v1
kind: Config
clusters:
- cluster:
    server: https://10.0.0.1
  name: one
users:
- name: admin
  user:
    """
OBJECT = b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n"
WIREGUARD = b"PrivateKey = " + b"yAnz5TF+lXXJte14tji3zlMNq+hd2rYU" + b"IgJBgB3fBmk="
TOKENS = [
    b"ghp_" + b"a1B2" * 9,
    b"github_pat_" + b"11ABC_" * 10,
    b"xoxb-1234567890-abcdefghij",
    b"xoxp-1234567890-abcdefghij",
    b"sk-proj-" + b"Ab1_" * 12,
    b"glpat-" + b"Ab1-" * 5,
]


@pytest.mark.parametrize(
    "data",
    [
        b"Access key ID,Secret access key\r\n" + ID + b"," + SECRET + b"\r\n",
        b"\xef\xbb\xbfUser name,Password,Access key ID,Secret access key,Console login link\r\nci,,"
        + ID
        + b","
        + SECRET
        + b",https://1.example.org/console\r\n",
        b'"User Name","Access Key Id","Secret Access Key"\n"ci","' + ID + b'","' + SECRET + b'"\n',
        b"AWSAccessKeyId=" + ID + b"\r\nAWSSecretKey=" + SECRET + b"\r\n",
        b"region = eu-west-1\nkey = ASIA" + ID[4:] + b"\nsecret = " + SECRET,
        b"export AWS_ACCESS_KEY_ID=" + ID + b"\nexport AWS_SECRET_ACCESS_KEY='" + SECRET + b"'\n",
        b"Access key ID: " + ID + b"\nSecret access key: " + SECRET + b"\n",
        ID + b"," + SECRET,
        ID + b"\n" + SECRET + b"\n",
        b'{"AccessKey": {"UserName": "ci", "AccessKeyId": "' + ID + b'", "SecretAccessKey": "' + SECRET + b'"}}',
        KUBE + b"token: abc\n",
        KUBE + b"client-certificate-data: QQ==\n    client-key-data: QQ==\n",
        b"# of the cluster\n---\n" + KUBE.replace(b"\n", b"\r\n") + b"client-key-data: QQ==\r\n",
        b'{"apiVersion": "v1", "kind": "Config", "users": [{"name": "a", "user": {"token": "abc"}}]}',
        b'{"auths": {"registry.example.org": {"auth": "dXNlcjpwYXNz"}}}',
        OBJECT + b"type: Opaque\ndata:\n  password: aHVudGVyMg==\n",
        b"apiVersion: v1\ndata:\n  password: aHVudGVyMg==\nkind: Secret\n",
        b"apiVersion: v1\nkind: Service\nspec: {}\n---\n" + OBJECT + b"stringData:\n  password: hunter2\n",
        b'{"apiVersion": "v1", "kind": "List", "items": [{"kind": "Secret", "data": {"a": "YQ=="}}]}',
        b"[Interface]\n" + WIREGUARD + b"\nAddress = 10.0.0.2/32\n\n[Peer]\nAllowedIPs = 0.0.0.0/0\n",
        b"# home\r\n[Interface]\r\n" + WIREGUARD + b"\r\n",
        b"[mysqld]\nskip-networking\n!includedir /etc/mysql\n[client]\nuser = me\npassword = hunter2\n",
        b"[client]\nuser=me\npassword='hunter2'\n",
        *TOKENS,
        b"\n" + TOKENS[0] + b"\r\n",
        b"GITHUB_TOKEN=" + TOKENS[0] + b'\nSLACK="' + TOKENS[2] + b'"\n',
    ],
)
def test_files_of_credentials_are_known_whatever_they_are_called(data: bytes) -> None:
    assert reason_by_content(b"notes.txt", data) is LeftOut.CREDENTIALS


@pytest.mark.parametrize(
    "data",
    [
        b"An access key is " + ID + b" with the secret " + SECRET + b".\n",
        b"# Keys\n\nAccess key ID, Secret access key\n\n" + ID + b"," + SECRET + b"\n\nNever show it to anybody.\n",
        b"Access key ID,Secret access key\nshown once,shown never again\n",
        b"aws_access_key_id = "
        + ID
        + b"\naws_secret_access_key = "
        + SECRET
        + b"\nis what the file then looks like.\n",
        b"ASIA and AKIA are beginnings of ids.\n",
        b"# Config\n\n" + KUBE + b"token: abc\n\nThen run the command.\n",
        b"# Config\n\n```yaml\n" + KUBE + b"token: abc\n```\n",
        KUBE + b"exec:\n      command: aws\n",
        b"apiVersion: v1\nkind: ConfigMap\ndata:\n  colour: red\n",
        OBJECT,
        OBJECT + b"---\napiVersion: v1\nkind: ConfigMap\ndata:\n  colour: red\n",
        b"# Secrets\n\n" + OBJECT + b"data:\n  password: aHVudGVyMg==\n\nApply this to the cluster.\n",
        b'{"auths": {"registry.example.org": {}}, "credsStore": "desktop"}',
        b'{"title": "Logins", "body": "{\\"auths\\": {\\"a\\": {\\"auth\\": \\"x\\"}}}"}',
        b'{"auths": "what they are", "users": ["a", "b"], "kind": "Secret"}',
        b"[Interface]\n" + WIREGUARD + b"\n\nPut your own key there.\n",
        b"[Interface]\nPrivateKey = <your key>\n",
        b"[Interface]\nAddress = 10.0.0.2/32\n",
        b"[mysqld]\npassword = x is not read here\n",
        b"[client]\nuser = me\npassword =\n[mysqldump]\nquick\n",
        b"[client] is where a password goes:\npassword = hunter2\n",
        TOKENS[0] + b" is a token of GitHub.\n",
        b"A token looks like " + TOKENS[0] + b"\n",
        b"ghp_short",
        b"sk-learn is a library",
        b"sk-learn",
    ],
)
def test_what_mentions_or_explains_them_is_a_document(data: bytes) -> None:
    assert reason_by_content(b"notes.txt", data) is None
