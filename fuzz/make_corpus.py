"""Writes what the fuzz targets start from: make_corpus.py FUZZ_SEEDS FOLDER makes FOLDER/TARGET/NAME for each target and FOLDER/dictionaries/TARGET.

FUZZ_SEEDS (fuzz/seeds.cc) writes what distal's own writers make: videos, arrays, weights, results. Here stand the texts of others. Nothing is kept in the tree."""
import json
import pathlib
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

LISTS = {
    'csv': 'cpath,label,group,start_s,end_s\na.mp4,run,a,0,1.5\n"b, c.mp4","a ""quoted"" word",b,2,3\n',
    'csv_frames': 'dvideo,label,start_frame,end_frame\r\na.mp4,run,0,15\r\n',
    'kinetics': 'klabel,youtube_id,time_start,time_end,split,is_cc\nrun,---QUuC4vJs,84,94,train,0\n"air drumming",_dbcJuKJQNs,40,50,val,0\n,a,0,1,,0\n',
    'kinetics_found': 'Klabel,youtube_id,time_start,time_end,split\nrun,abc,0,10,test\n',
    'mmaction2': 'msome/path/000.mp4 1\r\nsome/my clip.mp4 0\n',
    'mmaction2_named': 'Ma.mp4 1\nv_Archery_g03_c02.avi 0\n',
    'ucf101': 'uApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\nArchery/v_Archery_g01_c02.avi\n',
    'hmdb51': 'hApril_09_brush_hair_u_nm_np1_ba_goo_0.avi 1 \n#122_Cleaning_Up_brush_hair_u_cm_np1_le_med_10.avi 2 \nunused_0.avi 0 \n',
    'recognise': 'rlabel,youtube_id,time_start,time_end\nrun,a,0,1\n',
}


def label_studio():
    def task(results, **more):
        return {'id': 7, 'data': {'video': '/data/upload/3/0a1b2c3d-op%201.mp4'}, 'annotations': [{'result': results, **more}], 'predictions': []}

    timeline = {'type': 'timelinelabels', 'value': {'ranges': [{'start': 1, 'end': 10}], 'timelinelabels': ['cut']}}
    choices = {'type': 'choices', 'value': {'choices': ['rest']}}
    box = {'type': 'videorectangle', 'value': {'sequence': [{'frame': 1, 'enabled': True, 'x': 1, 'y': 1}], 'labels': ['hand']}}
    labels = {'type': 'labels', 'value': {'start': 0.5, 'end': 2.5, 'labels': ['cut']}}
    yield 'timeline', [task([timeline, timeline, box])]
    yield 'choices', [task([choices], ground_truth=True)]
    yield 'others', [task([box, labels]), task([timeline], was_cancelled=True)]
    yield 'single', task([timeline])


CVAT_META = ('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n      <id>3</id>\n      <name>a &amp; b</name>\n'
             '      <frame_filter>step=5</frame_filter>\n      <bugtracker></bugtracker>\n      <labels>\n        <label>\n          <name>cut</name>\n        </label>\n'
             '      </labels>\n      <source>op1.mp4</source>\n    </task>\n  </meta>\n')
CVAT = {
    'track': CVAT_META + '  <track id="0" label="cut" source="manual">\n' + ''.join(
        f'    <box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" xtl="1.00" ytl="1.00" xbr="2.00" ybr="2.00" z_order="0">\n'
        '      <attribute name="how">low</attribute>\n    </box>\n' for frame, outside in ((0, 0), (5, 0), (10, 1))) + '  </track>\n</annotations>\n',
    'tags': CVAT_META + ''.join(
        f'  <image id="{i}" name="frame_{i:06}" width="10" height="10">\n    <tag label="cut" source="manual">\n    </tag>\n  </image>\n' for i in (0, 5)) + '</annotations>\n',
    'one_line': '<annotations><meta><task><source>a.mp4</source></task></meta><track label="x"><box frame="1" outside="0"/></track></annotations>',
}



def networks():
    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    tensor = field(13, field(1, b'location') + field(2, b'w.bin'))
    node = field(4, b'If') + field(5, field(1, b'then_branch') + field(6, field(5, tensor)))
    graph = field(1, node) + field(2, b'g') + field(5, tensor)
    yield 'onnx', b'o\x08\x08' + field(7, graph) + field(14, field(1, b'names') + field(2, b"{0: 'a', 1: 'b'}"))
    yield 'pt2', ('pinputs_info_[0].name = "arg0_1";\noutputs_info_[0].name = "output0";\nss << "input_handles[0]: unmatched dtype, "\n << "expected: " << d << "(at::kFloat), "\n'
                  '<< "but got: "; ss << "input_handles[0]: dim value is too small at 0, "\n<< "expected it to be >= 2, " << "but got: ";\n'
                  'ss << "input_handles[0]: unmatched dim value at 1, " << "expected: 3, " << "but got: "')
    yield 'names', "n{0: 'cut', 1: \"rest\"}"
    yield 'words', 'ncut, rest\nidle'
    yield 'config', 'n' + json.dumps({'id2label': {'0': 'cut', '1': 'rest'}, 'classes': ['a']})


OPTIONS = {
    'plain': 'flag: true\ncount: 7\nlength_s: 1.5\nname: "b"\nkind: green\nmaybe: 3\nperhaps: 0.5\nnumbers: [1, 2]\nwords: [x, y]\ninner: {ratio: 0.1, list: [1e3, .inf]}\nother:\n  remark: text\n',
    'merged': 'base: &base {ratio: 0.5}\ninner: *base\narms:\n  a: {count: 1}\n  b:\n    inner: {ratio: 1}\n',
    'overrides': 'count: 3\n\0inner.ratio=0.25\nwords=[a, b]\nother.list=[1]\n',
    'blocks': '# comment\nname: |\n  two\n  lines\nwords:\n  - >-\n    folded\n  - \'single\'\n',
}

SWEEP = ('question: Which?\ndata: {root: ., pool: {csv: pool.csv}, test: {csv: test.csv}}\nstudent: {model: {backbone: {name: resnet3d, depth: 10, width: 8}}}\n'
         'rounds: 2\nbudget: 4\nsweep: {pool: [10, 20], rounds: [1, 2], answers: [8]}\narms:\n  random: {}\n  margin: {strategy: margin}\n')

DICTIONARIES = {
    'json': ['"{"', '"}"', '"["', '"]"', '"null"', '"true"', '"1e400"', '"-0"', '"\\x5cu0000"', '"\\x5cud800"'],
    'lists': ['"path,label"', '"video"', '"start_s"', '"end_s"', '"start_frame"', '"end_frame"', '"group"', '"label,youtube_id,time_start,time_end,split"', '"train"', '"test"',
              '"validate"', '".avi 1"', '".mp4 0"', '"v_A_g01_c01.avi"', '"inf"', '"nan"', '"9223372036854775807"', '"\\xef\\xbb\\xbf"'],
    'label_studio': [f'"\\"{word}\\""' for word in (
        'id', 'data', 'video', 'annotations', 'result', 'type', 'value', 'ranges', 'start', 'end', 'timelinelabels', 'choices', 'labels', 'videorectangle', 'sequence', 'frame',
        'enabled', 'ground_truth', 'was_cancelled', 'predictions', 'from_name', 'to_name', 'original_length', 'framesCount', 'duration')],
    'cvat': [f'"{word}"' for word in (
        '<annotations>', '</annotations>', '<track ', '</track>', '<box ', '</box>', '<points ', '<polygon ', '<polyline ', '<tag ', '</tag>', '<image ', '</image>', '<attribute ',
        '<source>', '</source>', '<frame_filter>', 'step=', '<meta>', '<job>', '<project>', '<![CDATA[', ']]>', '<!--', '-->', '<!DOCTYPE ', '<?xml ', '&amp;', '&#0;', '&#x110000;')]
    + [f'"{name}=\\""' for name in ('label', 'frame', 'outside', 'keyframe', 'id', 'name', 'width', 'height', 'task_id')],
    'options': ['"&a "', '"*a"', '"<<: *a"', '"[*a, *a]"', '"!!"', '"!<tag:"', '"---"', '"..."', '"? "', '"name: "', '"inner: "', '"arms: "', '"{"', '"["', '"|"', '">-"', '".nan"', '".inf"', '"~"'],
    'npy': ['"\'descr\': "', '"\'<f4\'"', '"\'|V2\'"', '"\'fortran_order\': True"', '"\'shape\': ("', '"9223372036854775807"', '"18446744073709551616"', '"0, "'],
    'safetensors': ['"\\"dtype\\":\\"F32\\""', '"\\"shape\\":[0]"', '"\\"data_offsets\\":[0,0]"', '"__metadata__"', '"4611686018427387904"', '"BF16"'],
    'protocol': ['"\\"outputs\\""', '"\\"name\\""', '"\\"datatype\\":\\"FP64\\""', '"\\"shape\\":[2,3]"', '"\\"data\\""', '"\\"parameters\\""', '"\\"binary_data_size\\""', '"1e400"',
                 '"http://"', '"/v2/models/"', '"/versions/"'],
}


def answers():
    """(name, text) of answers of people; fuzz/answers.cc asks about the clips."""
    header = 'clip,class,skipped,unsure,note,person,answered,seconds,range_start_s,range_end_s\n'
    yield 'csv', header + 'aa@0-2000,cut,,1,"a, b",kim,2026-01-02T03:04:05Z,2.5,,\nbb@0-inf,,1,,,lee,,,,\n'
    yield 'csv_ranges', header + 'aa@0-2000,cut,,,,kim,2026-01-02 13:04+09:00,,0,1.5\naa@0-2000,rest,,,,kim,,,1.5,2\n'
    when = {'created_at': '2026-01-02T03:04:05.678901Z', 'lead_time': 4.25}
    said = {'from_name': 'class', 'type': 'choices', 'value': {'choices': ['cut']}}
    note = {'from_name': 'note', 'type': 'textarea', 'value': {'text': ['a', 'b']}}
    span = {'ranges': [{'start': 1, 'end': 25}], 'timelinelabels': ['rest']}
    ranges = {'from_name': 'ranges', 'type': 'timelinelabels', 'value': span}
    data = {'video': 'a.mp4', 'clip': 'aa@0-2000', 'fps': 25}
    for name, result in ('choices', [said, note]), ('ranges', [ranges]):
        task = {'id': 1, 'data': data, 'annotations': [{'id': 2, 'completed_by': {'email': 'kim'}, 'result': result, 'was_cancelled': False, **when}]}
        yield f'json_{name}', json.dumps([task])
    yield 'json_min', json.dumps([{**data, 'annotation_id': 3, 'annotator': 7, 'class': 'cut', 'note': 'a', 'ranges': [span], **when}])
    task = '<task><id>{}</id><name>{}</name><updated>2026-01-02 03:04:05+00:00</updated><assignee><username>kim</username></assignee></task>'
    tasks = task.format(1, 'aa@0-2000') + task.format(2, 'bb@0-inf')
    yield 'xml', ('<annotations><meta><project><tasks>' + tasks + '</tasks></project></meta><image id="3" task_id="1"><tag label="cut"><attribute name="unsure">true</attribute>'
                  '</tag></image><track label="rest" task_id="2"><box frame="0" outside="0"/><box frame="5" outside="1"/></track></annotations>')


def npy(header, data, version=1):
    length = struct.pack('<H' if version == 1 else '<I', len(header))
    return b'\x93NUMPY' + bytes([version, 0]) + length + header.encode() + data


def texts():
    """(target, name, bytes) of every seed that is not distal's own."""
    for name, text in LISTS.items():
        yield 'lists', name, text
    for name, tasks in label_studio():
        yield 'label_studio', name, json.dumps(tasks)
        yield 'json', f'label_studio_{name}', json.dumps(tasks)
    for name, text in CVAT.items():
        yield 'cvat', name, text
    for name, text in answers():
        yield 'answers', name, text
    for name, text in OPTIONS.items():
        yield 'options', name, text
    for path in sorted((ROOT / 'recipes').rglob('*.yaml')):
        yield 'recipe', '_'.join(path.relative_to(ROOT / 'recipes').parts), path.read_text()
    yield 'recipe', 'sweep', SWEEP
    yield 'recipe', 'overrides', SWEEP + '\0student.training.epochs=3\narms.margin.budget=5\n'
    for name, content in networks():
        yield 'network', name, content
    yield 'json', 'kinds', '{"a": [1, -2.5e3, true, null, "\\u00e9\\ud83d\\ude00"], "b": {"c": {}}}'
    yield 'text', 'mixed', 'plain \x1b[31mred\x1b[0m\t\n\u00e9\u0085\U0001f600'.encode() + b'\xff\xc0\xaf\xed\xa0\x80'
    yield 'npy', 'version2_half', npy("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }\n", bytes(12), 2)
    yield 'npy', 'bool_fortran', npy("{'descr': '|b1', 'fortran_order': True, 'shape': (3,), }\n", b'\x00\x01\x01')
    yield 'protocol', 'url', 'Jhttp://host:8000/v2/models/NAME/versions/1'
    yield 'protocol', 'nested', 'J{"outputs":[{"name":"probabilities","datatype":"FP64","shape":[2,3],"data":[[0.2,0.3,0.5],[0,0,1]]}]}'


def main():
    fuzz_seeds, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([fuzz_seeds, folder], check=True)
    for target, name, content in texts():
        (folder / target).mkdir(exist_ok=True)
        (folder / target / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / 'dictionaries').mkdir(exist_ok=True)
    for target, words in DICTIONARIES.items():
        (folder / 'dictionaries' / target).write_text('\n'.join(words) + '\n')


if __name__ == '__main__':
    main()
