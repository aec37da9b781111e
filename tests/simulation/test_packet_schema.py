import fastavro

from fink_al.simulation.packet_schema import ztf_schema


def shape(schema):
    """`schema` without documentation, defaults and versions."""
    if isinstance(schema, list):
        return [shape(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if schema["type"] == "array":
        return {"type": "array", "items": shape(schema["items"])}
    if schema["type"] == "record":
        fields = [(field["name"], shape(field["type"])) for field in schema["fields"]]
        return {"name": schema["name"], "fields": fields}
    return schema


def test_names_types_and_order_are_those_of_a_real_packet(shared_data):
    with (shared_data / "ztf_packets" / "template_ztf_3p3.avro").open("rb") as packet:
        real = fastavro.reader(packet).writer_schema
    assert shape(fastavro.parse_schema(ztf_schema())) == shape(real)
